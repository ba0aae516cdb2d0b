"""A PSP seen from outside: Stripe- and Razorpay-shaped HTTP over one seeded world.

One process, one asyncio loop, one `Engine` (engine.py). A synchronous handler is atomic, and
what it changed is committed before it is answered. Time is business time in whole epoch
seconds, `engine.now`. Nothing here imports more of the project than money and clock.

How a PSP surface is built (`stripe/` is one; `razorpay/` another; each has
`make_surface(engine) -> Surface`, see surfaces.py, and is found by app.py):

- Routes: `surface.routes()`, Starlette routes under `/{psp}/…` (API) and `/hosted/{psp}/…`.
  `gate.guarded` wraps one API call: the faults of the script before and after it, the commit,
  the dropped connection (`wire.Drop`).
- Objects: `engine.store.put(kind, doc, account=account["id"])`, mutable dicts with `id` and
  `created`; `put` again after a change. `store.newest(account, kind, since, until)` lists.
  Ids by `engine.draws.object_id(prefix, parent id, purpose, ordinal)`: never from idempotency
  keys or the wall clock.
- Events: `engine.emit(account, event_id, type, body_bytes)`. Delivery (late, twice, never,
  back-off) is the engine's; `surface.sign` gives the headers of each sending.
- Charging: `engine.payers.would_succeed(instrument, amount, at, present)` says what comes of it
  in neutral codes (payers.SOFT, HARD, AUTH_REQUIRED, MADE_UP + word); the surface says it in the
  PSP's words. Instruments: `engine.payers.instrument(id)`; a payer's are `payer.instruments`,
  the first one stored with the merchant, the second a new one for hosted pages.
- Timers: `engine.on("razorpay.retry", handler)` once, `engine.at(when, "razorpay.retry", **json)`
  for each; handlers take the dict of arguments, at `engine.now`, and may be async.
- The world: `surface.kinds` are the kinds of debt and their weights; `surface.start_debt(debt)`
  is called when a debt falls due and makes the merchant's (or the present payer's) first attempt.
  A debt is {id, account, payer, kind, amount, currency, due, instrument}.
- Truth: `engine.ledger.attempt(id, debt=…, actor=…, state=…)` for every charge or payment
  whoever made it, `ledger.end` for how a pending one ended, `ledger.refund`. An object made over
  the API is tied to its debt by `engine.door(account, object_id, payer, amount, currency)`;
  `ledger.tie/tied` keep other private facts of an object (payer, instrument).
  Attempts over the API are Tinko's (`actor="tinko"`); on a hosted page the payer's.
- Hosted pages: `hosted.page(…)`; the payers' agent (agent.py) posts its form `#pay` with
  `card=saved|new` and reads the outcome header. `engine.at(when, "payer.hosted", payer=id,
  url=…)` sends a payer to a page (optional `method`, `fields`).
"""
