// Mercurius with JIT, written for speed: node server.mjs PORT UPSTREAM
// With BENCH_PROCESSES=2 it is a cluster of two.
// Upstream JSON is reshaped once per number (numbers.mjs), so that the compiled query only reads
// properties; searches of one request are deduplicated by place in a batch loader.
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { availableNumber, phoneNumber } from './numbers.mjs'
import { pooled } from './upstream.mjs'

const [port, upstream] = process.argv.slice(2)
const get = pooled(upstream)

const resolvers = {
  Query: {
    async phoneNumber (_, { sid }, { authorization }) {
      const { items } = await get(`/Numbers/ActiveNumbers/${sid}`, authorization)
      return phoneNumber(items[0])
    },
    async phoneNumbers (_, { filter, first }, { authorization }) {
      const postalCode = encodeURIComponent(filter.postalCode)
      const path = `/Numbers/ActiveNumbers?Geography.PostalCode=${postalCode}&PageSize=${first}`
      const { items } = await get(path, authorization)
      return { nodes: items.map(phoneNumber) }
    }
  }
}

const loaders = {
  PhoneNumber: {
    similarAvailable: {
      async loader (queries, { authorization }) {
        const searches = new Map()
        return Promise.all(queries.map(({ obj, params }) => {
          const { rateCenter, lata } = obj.geography
          const query = `InRateCenter=${encodeURIComponent(rateCenter)}&InLata=${lata}&PageSize=${params.first}`
          let search = searches.get(query)
          if (search === undefined) {
            const path = `/2010-04-01/Accounts/${obj.accountSid}/AvailablePhoneNumbers/US/Local.json?${query}`
            search = get(path, authorization)
              .then(found => ({ nodes: found.available_phone_numbers.map(availableNumber) }))
            searches.set(query, search)
          }
          return search
        }))
      },
      // Without this the loader serialises each whole number to make its cache key.
      opts: { cache: false }
    }
  }
}

async function serve () {
  const app = Fastify({ logger: false })
  app.register(mercurius, {
    schema: readFileSync(new URL('../peers/schema.graphql', import.meta.url), 'utf8'),
    resolvers,
    loaders,
    jit: 1,
    context: request => ({ authorization: request.headers.authorization })
  })
  await app.listen({ port: Number(port), host: '127.0.0.1' })
}

const processes = Number(process.env.BENCH_PROCESSES ?? 1)
if (cluster.isPrimary && processes > 1) {
  for (let n = 0; n < processes; n++) cluster.fork()
} else {
  await serve()
}
