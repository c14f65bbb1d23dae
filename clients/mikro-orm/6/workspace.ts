import type { EntityManager } from '@mikro-orm/postgresql';

/**
 * Does a unit of work in one workspace, as the login itself or as one of its roles. The settings end with the transaction:
 * nothing stays on a pooled connection.
 */
export function inWorkspace<T>(
  em: EntityManager, workspaceId: string, work: (em: EntityManager) => Promise<T>, role = 'none',
): Promise<T> {
  return em.fork().transactional(async (inside) => {
    await inside.execute("select set_config('app.workspace_id', ?, true), set_config('role', ?, true)", [workspaceId, role]);
    return work(inside);
  });
}
