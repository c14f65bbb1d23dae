import { DataTypes } from "sequelize";

export const defineCompanyWorkspaceConnector = (sequelize) =>
  sequelize.define(
    "CompanyWorkspaceConnector",
    {
      pk: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
      id: { type: DataTypes.UUID, defaultValue: DataTypes.UUIDV4 },
      companyPk: { type: DataTypes.INTEGER, field: "company_pk" },
      workspaceConnectorPk: { type: DataTypes.INTEGER, field: "workspace_connector_pk" },
      direction: DataTypes.ENUM("input", "output"),
    },
    { schema: "core_api", tableName: "company_workspace_connectors", underscored: true, paranoid: true },
  );

// create(values, { fields }), or every insert lists pk and id: 42501.
export const fields = ["companyPk", "workspaceConnectorPk", "direction"];

export const inWorkspace = (sequelize, workspaceId, work) =>
  sequelize.transaction(async (transaction) => {
    await sequelize.query("select set_config('app.workspace_id', $1, true)", { bind: [workspaceId], transaction });
    return work(transaction);
  });
