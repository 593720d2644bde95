// From the upstream's JSON to what queries select: reshaped once per number by plain functions.
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

export function phoneNumber (n) {
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

export function availableNumber (n) {
  return {
    phoneNumber: n.phone_number,
    friendlyName: set(n.friendly_name),
    beta: n.beta,
    regulatory: { addressRequirements: ADDRESSES[n.address_requirements] },
    geography: geography(n)
  }
}
