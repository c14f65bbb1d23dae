import { defineConfig } from '@mikro-orm/postgresql';

import * as entities from './entities.js';

// No skipTables: told to skip one of these tables, MikroORM skips its entity and drops the table.
export default defineConfig({
  clientUrl: process.env.DATABASE_URL,
  entities: Object.values(entities).filter((one) => typeof one === 'function'),
  schemaGenerator: {
    ignoreSchema: ['tenancy'], // or a migration drops the schema: bindings, guards and all
  },
});
