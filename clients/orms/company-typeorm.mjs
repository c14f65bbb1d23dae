import { EntitySchema } from "typeorm";

export const CompanyWorkspaceConnector = new EntitySchema({
  name: "CompanyWorkspaceConnector",
  schema: "core_api",
  tableName: "company_workspace_connectors",
  synchronize: false, // this package's migrations make the table
  columns: {
    pk: { type: "integer", primary: true, generated: "increment" },
    id: { type: "uuid", generated: "uuid", insert: false }, // or every insert lists it: 42501
    companyPk: { type: "integer", name: "company_pk" },
    workspaceConnectorPk: { type: "integer", name: "workspace_connector_pk" },
    direction: { type: "enum", enum: ["input", "output"], enumName: "direction_enum" },
    createdAt: { type: "timestamptz", name: "created_at", createDate: true },
    updatedAt: { type: "timestamptz", name: "updated_at", updateDate: true, nullable: true },
    deletedAt: { type: "timestamptz", name: "deleted_at", deleteDate: true, nullable: true },
  },
});

export const inWorkspace = (dataSource, workspaceId, work) =>
  dataSource.transaction(async (manager) => {
    await manager.query("select set_config('app.workspace_id', $1, true)", [workspaceId]);
    return work(manager);
  });
