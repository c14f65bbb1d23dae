// What an application does with the entities, under each of its logins; prints what came of it as one JSON document.
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';

import { companyPage } from './company-page.js';
import { Company, CompanyWorkspaceConnector } from './company.js';
import { Direction, WorkspaceConnector } from './ground.js';
import config from './mikro-orm.config.js';
import * as workspace from './workspace.js';

const { MAJOR, ACME, GLOBEX, DEPLOYER_URL, MEMBER_URL, SYNC_URL, BOTH_URL } = process.env as Record<string, string>;
const seven = MAJOR === '7';
const seen: Record<string, any> = {};

type Work<T> = (em: EntityManager) => Promise<T>;

/** Does a unit of work the way that this version does it. */
function inWorkspace<T>(orm: MikroORM, id: string, work: Work<T>, role?: string): Promise<T> {
  const enter = workspace.inWorkspace as any;
  return seven ? work(enter(orm.em, id, role)) : enter(orm.em, id, work, role);
}

const connect = (clientUrl: string, options = {}): Promise<MikroORM> =>
  MikroORM.init({ ...config, clientUrl, ...options } as any) as Promise<any>;

const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'allowed', (error) => error.code ?? String(error));

const fact = (em: EntityManager, companyPk: number, connectorPk: number, more = {}): CompanyWorkspaceConnector =>
  em.create(CompanyWorkspaceConnector, {
    company: em.getReference(Company, companyPk),
    workspaceConnector: em.getReference(WorkspaceConnector, connectorPk),
    direction: Direction.INPUT,
    ...more,
  });

// The schema diff, with each of the options and without it.

async function diff(schemaGenerator: object, change: (orm: MikroORM) => void = () => {}): Promise<string[]> {
  const orm = await connect(DEPLOYER_URL, { schemaGenerator });
  change(orm);
  const options = [true, false].map((safe) => ({ safe, wrap: false }) as any);
  const both = [await orm.schema.getUpdateSchemaSQL(options[0]), await orm.schema.getUpdateSchemaSQL(options[1])];
  await orm.close(true);
  return both.map((text) => text.trim());
}

const given = config.schemaGenerator as Record<string, unknown>;
[seen.safe_diff, seen.full_diff] = await diff(given);
seen.without = {};
for (const option of Object.keys(given)) {
  const { [option]: left_out, ...rest } = given;
  seen.without[option] = (await diff(rest))[1];
}
seen.with_skip_tables = (await diff({ ...given, skipTables: ['core_api.company_workspace_connectors'] }))[1];
seen.without_indexes = (await diff(given, (orm) => {
  for (const entity of [Company, WorkspaceConnector]) orm.getMetadata().get(entity as any).uniques = [];
  orm.getMetadata().get(CompanyWorkspaceConnector as any).indexes = [];
}))[1];

// The orchestrator's login.

const sync = await connect(SYNC_URL);

await inWorkspace(sync, ACME, async (em) => {
  const row = fact(em, 11, 101, { createdAt: new Date(0), updatedAt: new Date(0) });
  await em.flush();
  seen.created_json = JSON.parse(JSON.stringify(row));
  em.clear();
  const [found] = await em.find(CompanyWorkspaceConnector, { id: row.id }, { populate: ['company', 'workspaceConnector'] });
  seen.populated = [found.company.companyId, found.workspaceConnector.workspaceConnectorId];
  seen.populated_json = JSON.parse(JSON.stringify(found));
  seen.stamped = [found.createdAt.getTime() > 0, (found.updatedAt as Date).getTime() > 0];
});

await inWorkspace(sync, ACME, async (em) => {
  const rows = Array.from({ length: 500 }, () => fact(em, 19, 109));
  await em.flush();
  seen.read_back = [rows[499].createdAt !== undefined, rows[499].updatedAt !== undefined];
});

await inWorkspace(sync, ACME, async (em) => {
  const where = { company: 19 };
  seen.flushed = await em.count(CompanyWorkspaceConnector, where);
  const pages: CompanyWorkspaceConnector[][] = [await companyPage(em, 200)];
  while (pages.at(-1)!.length === 200) pages.push(await companyPage(em, 200, pages.at(-1)!.at(-1)!.id));
  const rows = pages.flat();
  const newest = rows.every((row, i) => i === 0 || rows[i - 1].createdAt >= row.createdAt);
  seen.paged = [rows.length, new Set(rows.map((row) => row.id)).size, newest, rows[0] instanceof CompanyWorkspaceConnector];
  seen.all = await em.count(CompanyWorkspaceConnector);

  const by = { first: 200, orderBy: { createdAt: 'desc', pk: 'desc' } } as any;
  const step = (after?: unknown): Promise<any> =>
    seven
      ? (em as any).findByCursor(CompanyWorkspaceConnector, { where, after, ...by })
      : (em as any).findByCursor(CompanyWorkspaceConnector, where, { after, ...by });
  let cursor = await step();
  let walked = cursor.items.length;
  while (cursor.hasNextPage) walked += (cursor = await step(cursor)).items.length;
  seen.walked_by_cursor = walked;
});

await inWorkspace(sync, ACME, async (em) => {
  const row = await em.findOneOrFail(CompanyWorkspaceConnector, { company: 11, deletedAt: null }, { orderBy: { pk: 'desc' } });
  row.deletedAt = new Date();
  await em.flush();
  seen.deleted = row.id;
});
seen.remove = await refusal(inWorkspace(sync, ACME, async (em) => {
  em.remove(await em.findOneOrFail(CompanyWorkspaceConnector, { company: 11 }, { orderBy: { pk: 'asc' } }));
  await em.flush();
}));
for (const [what, pair] of Object.entries({ company: [21, 101], connector: [11, 201], both: [21, 201] })) {
  seen[`other_tenants_${what}`] = await refusal(inWorkspace(sync, ACME, async (em) => {
    fact(em, pair[0], pair[1]);
    await em.flush();
  }));
}
seen.without_a_workspace = [
  await sync.em.fork().count(CompanyWorkspaceConnector),
  await refusal((async () => {
    const em = sync.em.fork() as any;
    fact(em, 11, 101);
    await em.flush();
  })()),
];
seen.other_tenant = await inWorkspace(sync, GLOBEX, async (em) => [
  await em.count(CompanyWorkspaceConnector, { company: 11 }),
  await em.count(CompanyWorkspaceConnector),
  await em.nativeUpdate(CompanyWorkspaceConnector, { company: 11 }, { deletedAt: new Date() }),
]);
seen.after_the_other_tenant = await inWorkspace(sync, ACME, (em) => em.count(CompanyWorkspaceConnector));
await sync.close(true);

// A reader's login.

const member = await connect(MEMBER_URL);
seen.member = await inWorkspace(member, ACME, async (em) => [
  await em.count(CompanyWorkspaceConnector),
  await em.count(CompanyWorkspaceConnector, { id: seen.deleted }),
]);
seen.member_creates = await refusal(inWorkspace(member, ACME, async (em) => {
  fact(em, 11, 101);
  await em.flush();
}));
await member.close(true);

// A login of both groups, which takes the role of a reader for a unit of work.

const both = await connect(BOTH_URL);
const count = (role?: string): Promise<number> =>
  inWorkspace(both, ACME, (em) => em.count(CompanyWorkspaceConnector, { id: seen.deleted }), role);
seen.as_itself = await count();
seen.as_a_reader = await count('workspace_member');
seen.as_the_owner = await refusal(count('deployer'));
await both.close(true);

console.log(JSON.stringify(seen));
