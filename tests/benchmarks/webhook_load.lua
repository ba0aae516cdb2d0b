-- wrk's side, one thread: posts a file of signed events, each once.
-- args: file, path. A line of the file is a Stripe-Signature header, a tab and the body.
-- The last line printed is JSON for tests/benchmarks/webhooks.py.

function init(args)
    requests, at = {}, 0
    for line in io.lines(args[1]) do
        local tab = line:find("\t", 1, true)
        requests[#requests + 1] = wrk.format("POST", args[2], {
            ["Stripe-Signature"] = line:sub(1, tab - 1),
            ["Content-Type"] = "application/json",
        }, line:sub(tab + 1))
    end
end

function request()
    -- past the end it starts over; the caller sees more requests than events and says so
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"refused":%d,"socket_errors":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f}\n',
        summary.requests, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000
    ))
end
