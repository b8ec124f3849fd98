"""The pipelined SMTP session: how mails that are ready for the wire get over it.

  blocking   the transport contract for a caller without an event loop
  feed       one caller's mails: where they come from, who is told what became of them
  pool       the connections of one route; weighs what goes wrong
  connect    greeting, EHLO, STARTTLS, AUTH by aiosmtplib
  session    one connection on asyncio; minds the time
  core       one connection as a pure state machine: what is said when, what an answer means
  envelope   what the server offers, and a mail's envelope and content in that form
  answers    the server's answers out of its bytes
  server     where a route leads, TLS, time limits

The path of a mail: `WireTransport.send` takes it from the caller and puts it into a `Feed`; a
`Session` with room takes it out for its `Core`, which writes MAIL, RCPT and DATA behind the dot of
the mail before. When the server says 354, `may_go` and `before_dot` are asked once more, content
and dot go out, and from here to the answer the mail is the one that could be in doubt. The answer
becomes an `Outcome`, and the feed tells the caller.

What holds, whatever the server does: each mail that was taken gets exactly one outcome; in doubt is
at most one mail per connection (with CHUNKING: the window), and only one whose last byte was handed
over; where TLS is demanded nothing but EHLO and STARTTLS goes out in clear.
"""

from mailape.delivery.transports.wire.blocking import WireTransport
from mailape.delivery.transports.wire.feed import Feed
from mailape.delivery.transports.wire.pool import Pool
from mailape.delivery.transports.wire.server import Limits, Server, Tls

__all__ = ["Feed", "Limits", "Pool", "Server", "Tls", "WireTransport"]
