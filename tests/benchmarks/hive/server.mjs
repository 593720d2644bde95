// Hive Gateway with its router runtime: node server.mjs PORT UPSTREAM
// One subgraph, which is executed in this process: nothing goes over a socket but calls upstream.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime'
import { unifiedGraphHandler } from '@graphql-hive/router-runtime'
import { buildSchema, execute } from 'graphql'
import { phoneNumber } from '../mercurius/numbers.mjs'
import { pooled } from '../mercurius/upstream.mjs'

const [port, upstream] = process.argv.slice(2)
const get = pooled(upstream)
const text = readFileSync(new URL('../peers/schema.graphql', import.meta.url), 'utf8')
const schema = buildSchema(text)

const root = {
  async phoneNumber ({ sid }, { authorization }) {
    const { items } = await get(`/Numbers/ActiveNumbers/${sid}`, authorization)
    return phoneNumber(items[0])
  },
  async phoneNumbers ({ filter, first }, { authorization }) {
    const postalCode = encodeURIComponent(filter.postalCode)
    const path = `/Numbers/ActiveNumbers?Geography.PostalCode=${postalCode}&PageSize=${first}`
    const { items } = await get(path, authorization)
    return { nodes: items.map(phoneNumber) }
  }
}

const subgraph = {
  getSubgraphExecutor: () => ({ document, variables, context }) => execute({
    schema,
    document,
    rootValue: root,
    variableValues: variables,
    contextValue: { authorization: context.headers.authorization }
  })
}

// What a composition writes around the types of its only subgraph.
const supergraph = `
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) {
  query: Query
}
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__field(graph: join__Graph) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__type(graph: join__Graph!) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
enum join__Graph { NUMBERS @join__graph(name: "numbers", url: "http://numbers") }
${text
  .replace(/^((?:type|input|enum|scalar) \w+)/gm, '$1 @join__type(graph: NUMBERS)')
  .replace(/^(enum .*\{)([^}]*)/gm, (_, head, values) => head + values.replace(/\b([A-Z_]{2,}\w*)\b/g, '$1 @join__enumValue(graph: NUMBERS)'))}
`

const gateway = createGatewayRuntime({
  supergraph,
  unifiedGraphHandler,
  transports: () => subgraph,
  logging: false,
  landingPage: false,
  graphiql: false,
  maskedErrors: false
})
createServer(gateway).listen(Number(port), '127.0.0.1')
