"""The offline twin: answers as Apiframe v2 does for Ideogram, on 127.0.0.1, for no money.

In a test or a script::

    from ideogram_django.simulator import Faults, Simulator

    with Simulator(api_keys=["afk_test"], credits=100, seconds_per_job=0.2) as twin:
        ...  # set API_BASE_URL to twin.base_url, make pictures
        assert [charge.credits for charge in twin.ledger] == [3]

In a terminal: `python manage.py ideogram_simulator --speed 5`.

It was written from the API's description alone and shares no code with the client, so that a
mistake in one is not hidden by the same mistake in the other. Bodies are as strict, credits are
taken at submission and given back on failure, jobs take their time, webhooks are signed, results
expire. The picture shows the prompt's words.

**Making trouble.** Each fault has a name. Write the name in square brackets into a prompt
(`A fox [429] in the snow`), give it a rate (`Faults(rates={"no-webhook": 0.2})`), or strike the
next submissions (`twin.fail_next("503", 2)`). A mark for the submission strikes the first try
only, told by its `Idempotency-Key` or else by its body, so that a client that tries again gets
through.

======================  ==========================================================================
The submission
----------------------  --------------------------------------------------------------------------
`[429]`                 429 with `Retry-After`; no job is made
`[503]`                 503; no job is made
`[504]`                 504 from the gateway after the job was made and charged
`[1010]`                403 with the text of Cloudflare's error 1010; no job is made
`[cut]`                 the connection is cut after the job was made and charged
`[cut-before]`          the connection is cut before a job is made
`[nonsense]`            202 whose body is not JSON; the job was made and charged
`[conflict]`            409 on every try; no job is made
======================  ==========================================================================

======================  ==========================================================================
The job
----------------------  --------------------------------------------------------------------------
`[fail]`                FAILED with a provider error
`[policy]`              FAILED because of the content policy
`[capacity]`            FAILED because no capacity was available
`[cancelled]`           ends as CANCELLED, with a refund and without a webhook
`[slow]`                takes ten times as long
`[forever]`             stays PROCESSING and never ends, not even by `finish_all()`
`[null-progress]`       progress is null
`[string-result]`       the result is a bare URL instead of an object
`[foreign-url]`         the result's URL is on a host that is not the provider's
`[expired]`             the result has expired by the time it is complete
`[poll-429]`            429 with `Retry-After` on the first look at the job
`[poll-503]`            503 on the first look at the job
======================  ==========================================================================

======================  ==========================================================================
The webhook
----------------------  --------------------------------------------------------------------------
`[no-webhook]`          no webhook is sent
`[duplicate-webhook]`   the webhook is sent twice at once
`[late-webhook]`        the webhook comes late by twice the job's time
`[stale-webhook]`       after the last webhook an old progress webhook comes, if asked for
`[bad-signature]`       the webhook is signed with another key
======================  ==========================================================================

======================  ==========================================================================
The file
----------------------  --------------------------------------------------------------------------
`[hostile]`             the file is HTML in a .png's clothes
`[truncated]`           the file ends in its middle
`[bomb]`                the file is a small PNG of 400 million pixels
`[redirect]`            the file's URL redirects to a private address
`[drip]`                the file comes one byte at a time
`[huge]`                the file announces one gibibyte and begins to send it
`[file-503]`            503 for the first download of the file
======================  ==========================================================================

**Other processes** control it over HTTP, always in JSON:

=============================  ===================================================================
`GET /_simulator/ledger`       `{"credits", "charges": [...]}`
`GET /_simulator/jobs`         `{"jobs": [...]}`, oldest first, each with its `input`
`GET /_simulator/requests`     `{"requests": [...]}`, keys masked
`GET /_simulator/webhooks`     `{"deliveries": [...]}`, every attempt
`GET /_simulator/faults`       the faults in force
`POST /_simulator/faults`      replaces those named: `latency`, `retry_after`, `rates`, `next`,
                               `seed`
`POST /_simulator/finish`      ends `{"job": id}`, or every running job
`POST /_simulator/hold`        `{"when": "before" | "after", "count": n | null}`: submissions wait,
                               before their job is made or after it was made and charged
`GET /_simulator/hold`         `{"held": n}`
`POST /_simulator/release`     lets them go on; `{"drop": true}` cuts them
`POST /_simulator/advance`     `{"seconds": n}` pass at once
`POST /_simulator/credits`     `{"credits": n}` sets the balance
=============================  ===================================================================

What the provider's documentation leaves open is decided here and marked by a comment: the
sentences of validation errors, when a webhook is tried again, the refund of CANCELLED jobs, the
prices of models without a published price.
"""

from ideogram_django.simulator.faults import Faults, fault_names
from ideogram_django.simulator.journal import RecordedRequest
from ideogram_django.simulator.ledger import Charge
from ideogram_django.simulator.twin import Simulator
from ideogram_django.simulator.webhooks import Delivery

__all__ = ["Charge", "Delivery", "Faults", "RecordedRequest", "Simulator", "fault_names"]
