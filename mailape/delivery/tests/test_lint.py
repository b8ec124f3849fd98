"""The lint of mails finds each fault that it names, and none in a good mail."""

from __future__ import annotations

import pytest

from mailape.delivery.tests.lint import BULK_RULES, RULES, faults

URL = b"https://site.example/u/1-a-b"
GOOD = (
    b'From: "Ann" <ann@example.org>\r\n'
    b"To: =?utf-8?b?QsO2Yg==?=\r\n <bob@example.com>\r\n"
    b"Subject: Hello\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    b"Message-ID: <0123456789abcdef0123456789abcdef@example.org>\r\n"
    b"List-Unsubscribe: <" + URL + b">\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"List-Id: <1.site.example>\r\n"
    b"Feedback-ID: 1:2:newsletter:mailape\r\n"
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="=_b"\r\n\r\n'
    b"--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"leave (" + URL + b") too\r\n"
    b"--=_b\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b'<a href=3D"' + URL + b'">leave</a>\r\n'
    b"--=_b--\r\n"
)
BREAK = {
    "a bare CR or LF": (b"too\r\n", b"too\n\r\n"),
    "a NUL": (b"too", b"\0"),
    "no line end at the end": (b"=_b--\r\n", b"=_b--"),
    "a line over 998 octets": (b"MIME-V", b"X: " + b"x" * 996 + b"\r\nMIME-V"),
    "a line of the body over 76": (b"too", b"t" * 77),
    "a head line over 78 that could be folded": (b"Hello", b"Hello " * 20),
    "a head line of nothing but blanks": (b"Hello\r\n", b"Hello\r\n \r\n"),
    "a dot that must be stuffed": (b"leave (", b"..\r\nleave ("),
    "a field without a proper name": (b"MIME-V", b"What: ever\r\nBc c: x\r\nMIME-V"),
    "a field that stands twice": (b"MIME-V", b"Subject: other\r\nMIME-V"),
    "a field missing": (b"Date: ", b"Dated: "),
    "an encoded word that is empty, too long or cut in a character": (b"Hello", b"=?utf-8?b?w7?="),
    "an encoded word in an address or in quotes": (b'"Ann"', b'"=?utf-8?b?QQ==?="'),
    "not exactly one mailbox in From, To or Reply-To": (b"<bob@", b"<eve@example.net>, <bob@"),
    "octets beyond ASCII in the head": (b"Hello", b"H\xc3\xa4llo"),
    "a date that is none": (b"Nov 2023", b"Nov 23"),
    "a Message-ID that is not ours": (b"0123456789abcdef@example.org", b"0123456789abcdef@x.org"),
    "not a text and an HTML part": (b"text/html", b"text/plain"),
    "links in the HTML that the text does not have": (b"leave (https", b"leave (http"),
    "a list field missing": (b"Feedback-ID: ", b"Feedback: "),
    "no one-click unsubscribe": (b"=One-Click", b"=Click"),
    "no visible way to unsubscribe": (b"leave (https", b"leave (http"),
    "a List-Id without an identity": (b"<1.site.example>", b"1.site.example"),
    "Auto-Submitted on a newsletter": (b"MIME-V", b"Auto-Submitted: auto-generated\r\nMIME-V"),
}


def test_a_good_mail_has_no_fault() -> None:
    assert faults(GOOD, bulk=True) == []


@pytest.mark.parametrize("fault", [*RULES, *BULK_RULES])
def test_each_fault_is_found(fault: str) -> None:
    good, bad = BREAK[fault]
    assert good in GOOD
    assert fault in faults(GOOD.replace(good, bad, 1), bulk=True)


BAD_WORDS = (
    b"=?utf-8?b??=", b"=?utf-8?q?" + b"x" * 70 + b"?=", b"=?latin-1?b?QQ==?=", b"=?utf-8?b?w6?=",
)  # fmt: skip


@pytest.mark.parametrize("word", BAD_WORDS)
def test_each_bad_encoded_word_is_found(word: bytes) -> None:
    broken = GOOD.replace(b"Subject: Hello", b"Subject: " + word)
    assert "an encoded word that is empty, too long or cut in a character" in faults(broken)
