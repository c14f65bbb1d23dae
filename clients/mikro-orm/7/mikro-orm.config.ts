import { defineConfig } from '@mikro-orm/postgresql';

import { Company, CompanyWorkspaceConnector } from './company.js';
import { Workspace, WorkspaceConnector } from './ground.js';

// No skipTables: told to skip core_api.company_workspace_connectors, MikroORM skips the entity and drops the table.
export default defineConfig({
  clientUrl: process.env.DATABASE_URL,
  entities: [Workspace, WorkspaceConnector, Company, CompanyWorkspaceConnector],
  // Without any one of these a migration drops …
  schemaGenerator: {
    ignoreSchema: ['tenancy'], // … the schema: bindings, guards and all
    ignoreTriggers: true, // … the guards' and the stamp's triggers
    ignoreRoutines: true, // … the API's functions
    ignorePolicies: true, // … the policies, and disables row-level security
  },
});
