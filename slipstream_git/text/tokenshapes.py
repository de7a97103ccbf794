"""The shapes of credentials that tell what they are: whose they are, and what they look like.

Facts that their issuers publish (prefix, alphabet, length), one row each. A token begins where a
run of letters, digits, `_` and `-` begins, so rows of `BY_RUN` are looked up by the first letters
of such runs, and cost nothing where there are none. The others are looked for by a text in them.

Every tail has an upper bound or one alphabet: no pattern here can be made to backtrack far.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from slipstream_git.records import NamedTuple


class Shape(NamedTuple):
    """One row: a text that it holds, what follows that text, and what stands before it."""

    rule: str
    text: bytes
    tail: bytes
    behind: bytes = b""

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """To be matched behind ``text``."""
        return _compiled(self.tail + rb"(?![A-Za-z0-9_-])")

    @property
    def before(self) -> re.Pattern[bytes]:
        """To be matched against the few bytes before ``text``; group 1 belongs to the token."""
        return _compiled(rb"(?:.*(?:[^A-Za-z0-9_]|\\[nrt])|\A)(" + self.behind + rb")\Z")


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_WORD = rb"[A-Za-z0-9_-]"
_ALNUM = rb"[A-Za-z0-9]"


def _rows(rule: str, beginnings: str, tail: bytes) -> list[Shape]:
    return [Shape(rule, text.encode(), tail) for text in beginnings.split()]


BY_RUN: Final = (
    *_rows("aws-access-key-id", "AKIA ASIA ABIA ACCA", rb"[A-Z2-7]{16}"),
    *_rows("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", _ALNUM + rb"{36,255}"),
    *_rows("github-token", "github_pat_", rb"[A-Za-z0-9_]{82,255}"),
    *_rows(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- glsoat- gloas- glffct- GR1348941",
        _WORD + rb"{20,255}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9})?",
    ),
    *_rows("slack-token", "xoxb- xoxa- xoxp- xoxr- xoxs- xoxo- xoxc-", rb"[0-9A-Za-z-]{20,255}"),
    *_rows("slack-token", "xoxd-", rb"[A-Za-z0-9%/+-]{40,500}"),
    *_rows("slack-token", "xapp-", rb"[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{40,80}"),
    *_rows("slack-token", "xoxe-", rb"[0-9]-[A-Za-z0-9]{100,250}"),
    *_rows("stripe-key", "sk_live_ rk_live_", _ALNUM + rb"{16,247}"),
    *_rows("stripe-key", "whsec_", _ALNUM + rb"{32,64}"),
    *_rows("anthropic-key", "sk-ant-", _WORD + rb"{32,255}"),
    *_rows("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", _WORD + rb"{40,255}"),
    *_rows("openrouter-key", "sk-or-v1-", rb"[0-9a-f]{64}"),
    *_rows("openai-key", "sk-", rb"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32,64}"),
    *_rows("google-api-key", "AIza", _WORD + rb"{35}"),
    *_rows("google-oauth-secret", "GOCSPX-", _WORD + rb"{28}"),
    *_rows("npm-token", "npm_", _ALNUM + rb"{36}"),
    *_rows("pypi-token", "pypi-AgE", _WORD + rb"{50,1000}"),
    *_rows("rubygems-token", "rubygems_", rb"[0-9a-f]{48}"),
    *_rows("crates-token", "cio", _ALNUM + rb"{32}"),
    *_rows("docker-token", "dckr_pat_ dckr_oat_", _WORD + rb"{27,40}"),
    *_rows("nuget-key", "oy2", rb"[a-z0-9]{43}"),
    *_rows("huggingface-token", "hf_ api_org_", _ALNUM + rb"{34,40}"),
    *_rows("replicate-token", "r8_", _ALNUM + rb"{37}"),
    *_rows("groq-key", "gsk_", _ALNUM + rb"{52}"),
    *_rows("perplexity-key", "pplx-", _ALNUM + rb"{48}"),
    *_rows("xai-key", "xai-", _ALNUM + rb"{80}"),
    *_rows("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", rb"[0-9a-f]{64}"),
    *_rows("twilio-key", "SK", rb"[0-9a-f]{32}"),
    *_rows("shopify-token", "shpat_ shpca_ shppa_ shpss_", rb"[0-9a-fA-F]{32}"),
    *_rows("square-token", "sq0atp- sq0csp-", _WORD + rb"{22,43}"),
    *_rows("mailgun-key", "key-", rb"[0-9a-f]{32}"),
    *_rows("databricks-token", "dapi", rb"[0-9a-f]{32}(?:-[0-9])?"),
    *_rows("linear-key", "lin_api_ lin_oauth_", _ALNUM + rb"{40,64}"),
    *_rows("postman-key", "PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),
    *_rows("newrelic-key", "NRAK-", rb"[A-Z0-9]{27}"),
    *_rows("grafana-token", "glsa_", _ALNUM + rb"{32}_[0-9a-fA-F]{8}"),
    *_rows("supabase-token", "sbp_", rb"[0-9a-f]{40}"),
    *_rows("notion-token", "ntn_", rb"[0-9]{11}[A-Za-z0-9]{32,35}"),
    *_rows("notion-token", "secret_", _ALNUM + rb"{43}"),
    *_rows("atlassian-token", "ATATT3 ATCTT3", rb"[A-Za-z0-9_=-]{60,250}"),
    *_rows("bitbucket-token", "ATBB", _ALNUM + rb"{24,32}"),
    *_rows("figma-token", "figd_", _WORD + rb"{40,50}"),
    *_rows("pulumi-token", "pul-", rb"[0-9a-f]{40}"),
    *_rows("sentry-token", "sntryu_", rb"[0-9a-f]{64}"),
    *_rows("sentry-token", "sntrys_eyJ", rb"[A-Za-z0-9+/=_-]{80,500}"),
    *_rows("tailscale-key", "tskey-auth- tskey-api- tskey-client-", rb"[A-Za-z0-9-]{28,90}"),
    *_rows("alibaba-key-id", "LTAI", _ALNUM + rb"{20}"),
    *_rows("contentful-token", "CFPAT-", _WORD + rb"{43}"),
    *_rows("age-key", "AGE-SECRET-KEY-1", rb"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    *_rows("onepassword-token", "ops_eyJ", rb"[A-Za-z0-9+/]{200,2000}={0,3}"),
)  # fmt: skip

BY_TEXT: Final = (
    Shape(
        "jwt", b"eyJ",
        rb"[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,6000}\.[A-Za-z0-9_-]{20,1000}",
    ),
    Shape("google-oauth-token", b"ya29.", rb"[A-Za-z0-9_-]{20,500}"),
    Shape("sendgrid-key", b"SG.", rb"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    Shape("vault-token", b"hvs.", rb"[A-Za-z0-9_-]{24,300}"),
    Shape("vault-token", b"hvb.", rb"[A-Za-z0-9_-]{100,300}"),
    Shape("doppler-token", b"dp.", rb"(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{40,80}"),
    Shape("terraform-token", b".atlasv1.", rb"[A-Za-z0-9_=-]{60,70}", rb"[A-Za-z0-9]{14}"),
    Shape("telegram-bot-token", b":AA", rb"[A-Za-z0-9_-]{33}", rb"[0-9]{8,10}"),
    Shape(
        "slack-webhook", b"hooks.slack.com/",
        rb"(?:services|workflows|triggers)/[A-Z0-9]{8,12}/[A-Za-z0-9]{8,16}/[A-Za-z0-9/]{20,60}",
    ),
    Shape(
        "discord-webhook", b"/api/webhooks/",
        rb"[0-9]{17,20}/[A-Za-z0-9_-]{60,80}", rb"(?:[a-z]+\.)?discord(?:app)?\.com",
    ),
    Shape("azure-client-secret", b"Q~", rb"[A-Za-z0-9_~.-]{31,34}", rb"[A-Za-z0-9_~.-]{3}[0-9]"),
    Shape("azure-storage-key", b"AccountKey=", rb"[A-Za-z0-9+/]{80,88}={0,2}"),
    Shape("azure-shared-key", b"SharedAccessKey=", rb"[A-Za-z0-9+/]{43}="),
    Shape("azure-sas", b"sig=", rb"(?:[A-Za-z0-9+/]|%2[BbFf]){40,80}(?:=|%3[Dd])"),
    Shape("npm-auth", b"_authToken=", rb"[A-Za-z0-9_-]{20,100}"),
    Shape("mailchimp-key", b"-us", rb"[0-9]{1,2}", rb"[0-9a-f]{32}"),
)  # fmt: skip
#: A Discord bot's token has no text of its own; its middle stands between two dots.
DISCORD: Final = Shape(
    "discord-bot-token", b".", rb"[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
    rb"[MNO][A-Za-z0-9_-]{22,28}",
)  # fmt: skip
