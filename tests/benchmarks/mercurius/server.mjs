// Mercurius with JIT, written for speed: node server.mjs PORT UPSTREAM
// With BENCH_PROCESSES=2 it is a cluster of two.
// Upstream JSON is reshaped once per number by plain functions, so that the compiled query only
// reads properties; searches of one request are deduplicated by place in a batch loader.
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { Pool } from 'undici'

const [port, upstream] = process.argv.slice(2)
const pool = new Pool(upstream, { connections: 64 })

async function get (path, authorization) {
  const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { authorization } })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`upstream answered ${statusCode}`)
  }
  return body.json()
}

const TYPES = {
  local: 'LOCAL',
  tollfree: 'TOLL_FREE',
  mobile: 'MOBILE',
  national: 'NATIONAL',
  'shared-cost': 'SHARED_COST',
  voip: 'VOIP',
  'machine-to-machine': 'MACHINE_TO_MACHINE',
  shortcode: 'SHORT_CODE'
}
const LIFECYCLES = {
  'developer-preview': 'DEVELOPER_PREVIEW',
  beta: 'BETA',
  'generally-available': 'GENERALLY_AVAILABLE',
  exhausted: 'EXHAUSTED'
}
const PRESERVATIONS = { international: 'INTERNATIONAL', domestic: 'DOMESTIC', none: 'NOT_PRESERVED' }
const REACHABILITIES = { domestic: 'DOMESTIC', foreign: 'FOREIGN', global: 'GLOBAL' }
const ADDRESSES = { none: 'NOT_REQUIRED', any: 'ANY', local: 'LOCAL', foreign: 'FOREIGN' }
const EMERGENCY = { Active: 'ACTIVE', Inactive: 'INACTIVE' }
const MODES = { voice: 'VOICE', fax: 'FAX' }

const set = value => value === '' || value === undefined ? null : value

function voice (v) {
  return v && {
    inboundConnectivity: v.inbound_connectivity,
    outboundConnectivity: v.outbound_connectivity,
    e911: v.e911,
    fax: v.fax,
    sipTrunking: v.sip_trunking,
    callsPerSecond: v.calls_per_second,
    concurrentCallsLimit: v.concurrent_calls_limit,
    longRecordLength: v.long_record_length,
    inboundCalledDtmf: v.inbound_called_dtmf,
    inboundCallerDtmf: v.inbound_caller_dtmf,
    inboundCallerIdPreservation: PRESERVATIONS[v.inbound_caller_id_preservation],
    inboundReachability: REACHABILITIES[v.inbound_reachability],
    codecs: v.codecs
  }
}

function sms (s) {
  return s && {
    inboundConnectivity: s.inbound_connectivity,
    outboundConnectivity: s.outbound_connectivity,
    gsm7: s.gsm7,
    ucs2: s.ucs2,
    gsm7Concatenation: s.gsm7_concatenation,
    ucs2Concatenation: s.ucs2_concatenation,
    inboundSenderIdPreservation: PRESERVATIONS[s.inbound_sender_id_preservation],
    inboundReachability: REACHABILITIES[s.inbound_reachability],
    inboundMps: s.inbound_mps
  }
}

// A number without MMS is one that neither receives nor sends it.
const NO_MMS = {
  inboundConnectivity: false,
  outboundConnectivity: false,
  inboundReachability: null,
  inboundMps: null
}

function mms (m) {
  return m === null ? NO_MMS : {
    inboundConnectivity: m.inbound_connectivity,
    outboundConnectivity: m.outbound_connectivity,
    inboundReachability: REACHABILITIES[m.inbound_reachability],
    inboundMps: m.inbound_mps
  }
}

// The core family has LATA and coordinates as strings, the catalog as numbers.
function geography (g) {
  return {
    isoCountry: g.iso_country,
    lata: g.lata,
    rateCenter: g.rate_center,
    latitude: g.latitude === null ? null : Number(g.latitude),
    longitude: g.longitude === null ? null : Number(g.longitude),
    region: g.region,
    locality: g.locality,
    postalCode: g.postal_code
  }
}

function hooks (h) {
  return h && {
    url: set(h.url),
    method: set(h.method) ?? 'POST',
    fallbackUrl: set(h.fallback_url),
    fallbackMethod: set(h.fallback_method) ?? 'POST',
    applicationSid: set(h.application_sid)
  }
}

function voiceConfiguration (v) {
  return v && {
    url: set(v.url),
    method: set(v.method) ?? 'POST',
    fallbackUrl: set(v.fallback_url),
    fallbackMethod: set(v.fallback_method) ?? 'POST',
    applicationSid: set(v.application_sid),
    trunkSid: set(v.trunk_sid),
    emergencyStatus: EMERGENCY[v.emergency_status],
    emergencyAddressSid: set(v.emergency_address_sid),
    receiveMode: MODES[v.receive_mode],
    callerIdLookup: v.caller_id_lookup
  }
}

function phoneNumber (n) {
  const c = n.configuration ?? n.configurations
  return {
    sid: n.sid,
    accountSid: n.account_sid,
    phoneNumber: n.phone_number,
    friendlyName: set(c.friendly_name),
    type: TYPES[n.type],
    lifecycle: LIFECYCLES[n.lifecycle],
    capabilities: {
      voice: voice(n.capabilities.voice),
      sms: sms(n.capabilities.sms),
      mms: mms(n.capabilities.mms)
    },
    regulatory: { addressRequirements: ADDRESSES[n.regulatory.address_requirements] },
    geography: geography(n.geography),
    configuration: {
      friendlyName: set(c.friendly_name),
      statusCallbackUrl: set(c.status_callback_url ?? c.status_callback),
      statusCallbackMethod: set(c.status_callback_method) ?? 'POST',
      voice: voiceConfiguration(c.voice),
      sms: hooks(c.sms),
      mms: hooks(c.mms)
    }
  }
}

function availableNumber (n) {
  return {
    phoneNumber: n.phone_number,
    friendlyName: set(n.friendly_name),
    beta: n.beta,
    regulatory: { addressRequirements: ADDRESSES[n.address_requirements] },
    geography: geography(n)
  }
}

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
