"""From templates to the bytes on the wire: compiled once per message, joined once per recipient.

    templates ─ tracking ─ slots ─ holes ─ filler ─▶ program ─ values, stamp ─▶ one mail

- `front`     what `delivery.compile` made, and which header fields a mail of which kind has
- `tracking`  which links lead through us, and where to
- `slots`     templates cut at their tags; each tag a function that says what Liquid says
- `holes`     plain text without the blank lines that empty tags leave
- `quoted`    quoted-printable that needs no dot-stuffing and no canonical form
- `filler`    static text encoded and filled into lines, round tokens and holes
- `fields`    header fields
- `compiler`  all of them together: from a front to a program
- `stored`    a program as JSON, with its version
- `program`   the program itself: `render` and `render_sealed`, a few microseconds for each mail
"""
