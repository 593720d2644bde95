// What a cache is asked to keep: much of a number, then other parts of it, then the answer of a write.
export const WIDE = `query answersWideQuery($sid: ID!) {
  phoneNumber(sid: $sid) {
    id
    capabilities { voice { enabled e911 inboundReachability } sms { enabled gsm7 } mms { enabled } }
    geography { locality region postalCode }
    configuration { friendlyName voice { url method handler callerIdLookup receiveMode } sms { url method handler } }
    regulatory { addressRequirements }
    account { id friendlyName phoneNumbers(first: 2) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } } }
  }
  country(code: "US") { id code name types }
  countries { id code name }
}`;
export const NARROW = `query answersNarrowQuery($sid: ID!) {
  phoneNumber(sid: $sid) {
    id
    capabilities { voice { fax } }
    geography { rateCenter }
    configuration { voice { fallbackUrl } sms { applicationSid } }
    account { id phoneNumbers(first: 3) { nodes { id geography { lata } } } }
  }
  phoneNumbers(first: 3) { nodes { id capabilities { sms { ucs2 } } configuration { mms { url } } } }
  country(code: "US") { id code beta }
  countries { id code beta }
}`;
export const WRITE = `mutation answersWriteMutation($sid: ID!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: "Night desk", voice: { url: "https://example.com/night", callerIdLookup: true, receiveMode: VOICE } } }) {
    phoneNumber { id configuration { friendlyName voice { url handler callerIdLookup } } geography { locality } capabilities { voice { enabled } } }
    userErrors { message }
  }
}`;
export const FIND = `query answersFindQuery($sid: ID!) {
  phoneNumber(sid: $sid) { id phoneNumber }
}`;
export const RELEASE_SEVERAL = `mutation answersReleaseMutation($items: [ReleasePhoneNumberInput!]!) {
  releasePhoneNumbers(input: { items: $items }) { results { releasedId userErrors { message } } }
}`;
