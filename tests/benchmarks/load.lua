-- wrk script: sends the requests of a file in turn, and reports latencies as one line of JSON.
--   wrk … -s load.lua URL -- FILE AUTHORIZATION [PLACE]
-- Each line of FILE is a JSON body for POST, or a path for GET when it starts with a slash.
-- The requests are built once, so that making them costs the generator next to nothing.
-- PLACE is the line to begin with.
-- Twelve zeros behind `k-` become a number that is different in each request.
local requests = {}
local rests = {}
local fresh = 0
local position = 0

function init(args)
  local headers = { ["Authorization"] = args[2], ["Accept"] = "application/json" }
  local posted = { ["Authorization"] = args[2], ["Accept"] = "application/json",
                   ["Content-Type"] = "application/json" }
  for line in io.lines(args[1]) do
    if line:sub(1, 1) == "/" then
      requests[#requests + 1] = wrk.format("GET", line, headers)
    else
      local whole = wrk.format("POST", nil, posted, line)
      local before, behind = whole:match("^(.*k%-)000000000000(.*)$")
      requests[#requests + 1] = before or whole
      rests[#requests] = behind
    end
  end
  position = tonumber(args[3] or 0) % #requests
  -- A run takes a second at least, and has fewer than a million requests in each.
  fresh = os.time() % 1000000 * 1000000
end

function request()
  position = position % #requests + 1
  local rest = rests[position]
  if rest == nil then
    return requests[position]
  end
  fresh = fresh + 1
  return requests[position] .. string.format("%012d", fresh) .. rest
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"bytes":%d,"p50":%.1f,"p99":%.1f,"longest":%.1f,"failed":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
