import { defineConfig } from '@mikro-orm/postgresql';

import * as entities from './entities.js';

// No skipTables: told to skip one of these tables, MikroORM skips its entity and drops the table.
export default defineConfig({
  clientUrl: process.env.DATABASE_URL,
  entities: Object.values(entities).filter((one) => typeof one === 'function'),
  // Without any one of these a migration drops …
  schemaGenerator: {
    ignoreSchema: ['tenancy'], // … the schema: bindings, guards and all
    ignoreTriggers: true, // … the guards' and the stamp's triggers
    ignoreRoutines: true, // … the API's functions
    ignorePolicies: true, // … the policies, and disables row-level security
  },
});
