import { sql } from "drizzle-orm";
import { integer, pgSchema, timestamp, uuid } from "drizzle-orm/pg-core";

// For queries: this package's migrations make the table, not drizzle-kit.
const coreApi = pgSchema("core_api");

export const companyWorkspaceConnectors = coreApi.table("company_workspace_connectors", {
  pk: integer().primaryKey().generatedAlwaysAs(sql`default`), // or every insert lists it: 42501
  id: uuid().notNull().generatedAlwaysAs(sql`default`), // likewise
  companyPk: integer("company_pk").notNull(),
  workspaceConnectorPk: integer("workspace_connector_pk").notNull(),
  direction: coreApi.enum("direction_enum", ["input", "output"])("direction").notNull(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp("updated_at", { withTimezone: true }),
  deletedAt: timestamp("deleted_at", { withTimezone: true }),
});

export const inWorkspace = (db, workspaceId, work) =>
  db.transaction(async (transaction) => {
    await transaction.execute(sql`select set_config('app.workspace_id', ${workspaceId}, true)`);
    return work(transaction);
  });
