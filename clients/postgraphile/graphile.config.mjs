import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { GraphQLError } from "graphql";
import jwt from "jsonwebtoken";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { pgSmartTags } from "postgraphile/utils";

// What pk would leave through: columns, primary keys' root fields, and, below, node ids and cursors.
const tags = [
  { kind: "attribute", match: ({ attname }) => /^(.*_)?pk$/.test(attname), tags: { behavior: "-*" } },
  { kind: "constraint", match: ({ contype }) => contype === "p", tags: { behavior: "-*" } },
];

// What the functions say of a caller's mistake; anything else stays hidden, as PostGraphile has it.
const shown = ["22007", "22023", "22P02", "23000", "23502", "42501"];

function maskError(error) {
  const { code, message } = error.originalError ?? {};
  if (error.originalError instanceof GraphQLError || !error.originalError) return error;
  const known = shown.includes(code);
  if (!known) console.error(error.originalError);
  return new GraphQLError(known ? message : "An error occurred", {
    nodes: error.nodes,
    path: error.path,
    extensions: known ? { code } : {},
  });
}

// The token names the role and the workspace, as PostgREST's does; without one there are no rows.
function claimsOf(authorization) {
  if (!authorization) return { role: "workspace_member" };
  try {
    return jwt.verify(authorization.replace(/^Bearer /i, ""), process.env.JWT_SECRET, { algorithms: ["HS256"] });
  } catch (error) {
    throw Object.assign(error, { statusCode: 401 });
  }
}

export default {
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset],
  plugins: [pgSmartTags(tags)],
  disablePlugins: ["NodePlugin", "PgMutationPayloadEdgePlugin"],
  schema: {
    // The functions create and delete; the table's own mutations would list every column.
    defaultBehavior: "-insert -update -delete -connection +list",
    pgOmitListSuffix: true,
    pgSimplifyAllRows: false, // or the table's list takes the name of the function's
  },
  // The login of postgrest/roles.sql: it becomes the role that the token names, and may become no other.
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["core_api"] })],
  grafserv: { host: "127.0.0.1", port: Number(process.env.PORT ?? 5678), graphiql: false, maskError },
  grafast: {
    context({ node }) {
      const claims = claimsOf(node?.req.headers.authorization);
      return { pgSettings: { role: claims.role, "request.jwt.claims": JSON.stringify(claims) } };
    },
  },
};
