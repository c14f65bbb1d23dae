import type { EntityManager } from '@mikro-orm/postgresql';

import { CompanyWorkspaceConnector } from './company.js';

/**
 * Returns a page, newest first, and the page after the row `afterId`. Not findByCursor: its cursor is a Date, which lacks
 * the microseconds of created_at, so it passes over rows, and it holds pk.
 */
export async function companyPage(em: EntityManager, limit: number, afterId?: string): Promise<CompanyWorkspaceConnector[]> {
  const page = 'select * from core_api.company_workspace_connectors_page(page_limit => ?, after_id => ?)';
  const rows = await em.execute(page, [limit, afterId ?? null]);
  return rows.map((row) => em.map(CompanyWorkspaceConnector, row));
}
