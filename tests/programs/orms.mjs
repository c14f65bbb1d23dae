// What an application does with each of these ORMs, with and without the line that it needs; prints one JSON document.
import { eq, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgSchema, uuid } from "drizzle-orm/pg-core";
import pg from "pg";
import { Sequelize } from "sequelize";
import { DataSource, EntitySchema } from "typeorm";

import * as forDrizzle from "./company-drizzle.mjs";
import * as forSequelize from "./company-sequelize.mjs";
import * as forTypeorm from "./company-typeorm.mjs";

const { ACME, GLOBEX, SYNC_URL } = process.env;
const { host, port, user, password, database } = new pg.Client(SYNC_URL);
const row = { companyPk: 11, workspaceConnectorPk: 101, direction: "input" };
const others = { companyPk: 21, workspaceConnectorPk: 201, direction: "input" };
const seen = {};

const refusal = (work) => work.then(() => "allowed", (error) => (error.cause ?? error.original ?? error).code ?? String(error));

{
  const { companyWorkspaceConnectors: table, inWorkspace } = forDrizzle;
  const pool = new pg.Pool({ connectionString: SYNC_URL });
  const db = drizzle(pool);
  const plain = pgSchema("core_api").table("company_workspace_connectors", {
    pk: integer().primaryKey(),
    id: uuid().notNull().defaultRandom(),
    companyPk: integer("company_pk"),
    workspaceConnectorPk: integer("workspace_connector_pk"),
  });
  seen.drizzle = {
    created: (await inWorkspace(db, ACME, (tx) => tx.insert(table).values(row).returning()))[0],
    without: await refusal(inWorkspace(db, ACME, (tx) => tx.insert(plain).values({ companyPk: 11, workspaceConnectorPk: 101 }))),
    others: await refusal(inWorkspace(db, ACME, (tx) => tx.insert(table).values(others))),
  };
  const { id } = seen.drizzle.created;
  seen.drizzle.deleted = await inWorkspace(db, ACME, (tx) =>
    tx.update(table).set({ deletedAt: new Date() }).where(eq(table.id, id)).returning({ at: table.deletedAt }));
  seen.drizzle.removed = await refusal(inWorkspace(db, ACME, (tx) => tx.delete(table).where(eq(table.id, id))));
  seen.drizzle.others_see = (await inWorkspace(db, GLOBEX, (tx) => tx.select().from(table).where(isNull(table.deletedAt)))).length;
  await pool.end();
}

{
  const { CompanyWorkspaceConnector, inWorkspace } = forTypeorm;
  const { columns, ...rest } = CompanyWorkspaceConnector.options;
  const Plain = new EntitySchema({ ...rest, name: "Plain", columns: { ...columns, id: { ...columns.id, insert: true } } });
  const options = { type: "postgres", host, port, username: user, password, database, entities: [CompanyWorkspaceConnector, Plain] };
  const source = await new DataSource(options).initialize();
  seen.typeorm = {
    created: await inWorkspace(source, ACME, (em) => em.save(CompanyWorkspaceConnector, { ...row })),
    without: await refusal(inWorkspace(source, ACME, (em) => em.save(Plain, { ...row }))),
    others: await refusal(inWorkspace(source, ACME, (em) => em.save(CompanyWorkspaceConnector, { ...others }))),
  };
  const { pk } = seen.typeorm.created;
  seen.typeorm.deleted = await inWorkspace(source, ACME, async (em) => {
    await em.softDelete(CompanyWorkspaceConnector, { pk });
    return [{ at: (await em.findOne(CompanyWorkspaceConnector, { where: { pk }, withDeleted: true })).deletedAt }];
  });
  seen.typeorm.removed = await refusal(inWorkspace(source, ACME, (em) => em.delete(CompanyWorkspaceConnector, { pk })));
  seen.typeorm.others_see = await inWorkspace(source, GLOBEX, (em) => em.count(CompanyWorkspaceConnector));
  await source.destroy();
}

{
  const { defineCompanyWorkspaceConnector, fields, inWorkspace } = forSequelize;
  const sequelize = new Sequelize(database, user, password, { dialect: "postgres", host, port, logging: false });
  const Row = defineCompanyWorkspaceConnector(sequelize);
  const create = (values, options) => inWorkspace(sequelize, ACME, (transaction) => Row.create(values, { transaction, ...options }));
  const made = await create(row, { fields });
  seen.sequelize = {
    created: made.toJSON(),
    without: await refusal(create(row)),
    others: await refusal(create(others, { fields })),
    deleted: await inWorkspace(sequelize, ACME, async (transaction) => {
      await made.destroy({ transaction });
      return [{ at: (await Row.findByPk(made.pk, { transaction, paranoid: false })).deletedAt }];
    }),
    removed: await refusal(inWorkspace(sequelize, ACME, (transaction) => made.destroy({ transaction, force: true }))),
    others_see: await inWorkspace(sequelize, GLOBEX, (transaction) => Row.count({ transaction })),
  };
  await sequelize.close();
}

console.log(JSON.stringify(seen));
