import type { EntityManager } from '@mikro-orm/postgresql';

/** Returns an entity manager whose transactions work in one workspace, as the login itself or as one of its roles. */
export function inWorkspace(em: EntityManager, workspaceId: string, role?: string): EntityManager {
  return em.fork({ session: { variables: { 'app.workspace_id': workspaceId }, role } });
}
