"""Credentials that nobody ever had, of the shapes that issuers give to theirs; and look-alikes.

Every token is drawn from a seed and put together from parts, so that no text in this repository has
the shape of one: scanners of hosting sites read it, too.
"""

# ruff: noqa: E501  (a line of the corpora is one line)

from __future__ import annotations

import random
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

LETTERS = string.ascii_letters
BASE62 = LETTERS + string.digits
BASE64 = BASE62 + "+/"
URL64 = BASE62 + "_-"
BASE32 = string.ascii_uppercase + "234567"
UPPER36 = string.ascii_uppercase + string.digits
LOWER36 = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
DIGITS = string.digits
KEYBOARD = BASE62 + "!#*+-.:?@^_~|"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"


class Drawer:
    """Random text of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  (drawn anew, the same, on every run)

    def of(self, alphabet: str, size: int) -> str:
        return "".join(self._random.choices(alphabet, k=size))

    def bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def password(self, size: int) -> str:
        """One of a password manager: every kind of character is in it."""
        while True:
            found = self.of(KEYBOARD, size)
            kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
            if found[0].isalnum() and all(any(map(kind, found)) for kind in kinds):
                return found


class Kind(NamedTuple):
    """A kind of credential: the rule that knows it, and how one is drawn."""

    rule: str
    draw: Callable[[Drawer], str]


def prefixed(rule: str, prefixes: str, alphabet: str, size: int, ending: str = "") -> Kind:
    return Kind(rule, lambda d: d.pick(*prefixes.split()) + d.of(alphabet, size) + ending)


def jwt(d: Drawer) -> str:
    header = f'{{"alg":"HS256","typ":"JWT","kid":"{d.of(HEX, 8)}"}}'
    claims = f'{{"sub":"{d.of(HEX, 24)}","iat":1{d.of(DIGITS, 9)}}}'
    first, second = (urlsafe_b64encode(x.encode()).decode().rstrip("=") for x in (header, claims))
    return f"{first}.{second}.{d.of(URL64, 43)}"


def discord_bot(d: Drawer) -> str:
    user = b64encode(("1" + d.of(DIGITS, 17)).encode()).decode()
    return f"{user}.{d.of(URL64, 6)}.{d.of(URL64, 38)}"


TOKENS = (
    prefixed("aws-access-key-id", "AKIA ASIA", BASE32, 16),
    prefixed("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", BASE62, 36),
    Kind("github-token", lambda d: "github" + "_pat_" + d.of(BASE62, 22) + "_" + d.of(BASE62, 59)),
    prefixed("gitlab-token", "glpat- gldt- glrt- glcbt- glptt- glft- gloas-", URL64, 20),
    Kind("gitlab-token", lambda d: f"glpat-{d.of(URL64, 27)}.01.{d.of(LOWER36, 9)}"),
    Kind("slack-token", lambda d: "-".join(("xoxb", *(d.of("123456789", 12) for _ in "ab"), d.of(BASE62, 24)))),
    Kind("slack-token", lambda d: "-".join(("xoxp", *(d.of("123456789", 11) for _ in "abc"), d.of(HEX, 32)))),
    Kind("slack-token", lambda d: f"xapp-1-A0{d.of(UPPER36, 9)}-{d.of(DIGITS, 13)}-{d.of(HEX, 64)}"),
    Kind(
        "slack-webhook",
        lambda d: f"hooks.slack.com/services/T{d.of(UPPER36, 8)}/B{d.of(UPPER36, 10)}/{d.of(BASE62, 24)}",
    ),
    Kind("stripe-key", lambda d: d.pick("sk", "rk") + "_live_" + d.of(BASE62, 24)),
    Kind("stripe-key", lambda d: d.pick("sk", "rk") + "_live_51" + d.of(BASE62, 97)),
    Kind("stripe-key", lambda d: "whsec_" + d.of(BASE62, 32)),
    Kind("openai-key", lambda d: "sk-" + d.of(BASE62, 20) + "T3Blbk" + "FJ" + d.of(BASE62, 20)),
    Kind("openai-key", lambda d: "sk-proj-" + d.of(URL64, 74) + "T3Blbk" + "FJ" + d.of(URL64, 74)),
    prefixed("openrouter-key", "sk-or-v1-", HEX, 64),
    prefixed("anthropic-key", "sk-ant-api03- sk-ant-admin01-", URL64, 93, "AA"),
    prefixed("google-api-key", "AIza", URL64, 35),
    prefixed("google-oauth-token", "ya29.", URL64, 60),
    prefixed("google-oauth-secret", "GOCSPX-", URL64, 28),
    prefixed("npm-token", "npm_", BASE62, 36),
    Kind("pypi-token", lambda d: "pypi-" + "AgEIcHlwaS5vcmc" + d.of(URL64, 150)),
    Kind("sendgrid-key", lambda d: f"SG.{d.of(URL64, 22)}.{d.of(URL64, 43)}"),
    prefixed("twilio-key", "SK", HEX, 32),
    Kind("telegram-bot-token", lambda d: f"{d.of('123456789', 10)}:AA{d.of(URL64, 33)}"),
    Kind("discord-bot-token", discord_bot),
    Kind(
        "discord-webhook",
        lambda d: f"discord.com/api/webhooks/1{d.of(DIGITS, 18)}/{d.of(URL64, 68)}",
    ),
    prefixed("huggingface-token", "hf_", LETTERS, 34),
    prefixed("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", HEX, 64),
    Kind("azure-storage-key", lambda d: f"AccountKey={d.of(BASE64, 86)}=="),
    Kind("azure-shared-key", lambda d: f"SharedAccessKey={d.of(BASE64, 43)}="),
    Kind("azure-sas", lambda d: f"sig={d.of(BASE62, 43)}%3D"),
    Kind("azure-client-secret", lambda d: f"{d.of(BASE62, 3)}8Q~{d.of(BASE62, 34)}"),
    Kind("jwt", jwt),
    prefixed("shopify-token", "shpat_ shpss_", HEX, 32),
    prefixed("square-token", "sq0csp-", URL64, 43),
    prefixed("mailgun-key", "key-", HEX, 32),
    Kind("mailchimp-key", lambda d: f"{d.of(HEX, 32)}-us{d.of('123456789', 1)}"),
    prefixed("databricks-token", "dapi", HEX, 32),
    prefixed("linear-key", "lin_api_", BASE62, 40),
    Kind("postman-key", lambda d: f"PMAK-{d.of(HEX, 24)}-{d.of(HEX, 34)}"),
    prefixed("newrelic-key", "NRAK-", UPPER36, 27),
    Kind("grafana-token", lambda d: f"glsa_{d.of(BASE62, 32)}_{d.of(HEX, 8)}"),
    prefixed("vault-token", "hvs.", URL64, 95),
    prefixed("doppler-token", "dp.pt.", BASE62, 43),
    Kind("terraform-token", lambda d: f"{d.of(BASE62, 14)}.atlasv1.{d.of(URL64, 67)}"),
    prefixed("atlassian-token", "ATATT3", URL64, 186),
    prefixed("bitbucket-token", "ATBB", BASE62, 32),
    prefixed("docker-token", "dckr_pat_", URL64, 27),
    prefixed("rubygems-token", "rubygems_", HEX, 48),
    prefixed("crates-token", "cio", BASE62, 32),
    prefixed("nuget-key", "oy2", LOWER36, 43),
    prefixed("groq-key", "gsk_", BASE62, 52),
    prefixed("replicate-token", "r8_", BASE62, 37),
    prefixed("perplexity-key", "pplx-", BASE62, 48),
    prefixed("xai-key", "xai-", BASE62, 80),
    Kind("notion-token", lambda d: f"ntn_{d.of(DIGITS, 11)}{d.of(BASE62, 35)}"),
    prefixed("notion-token", "secret_", BASE62, 43),
    prefixed("figma-token", "figd_", URL64, 40),
    prefixed("pulumi-token", "pul-", HEX, 40),
    prefixed("supabase-token", "sbp_", HEX, 40),
    prefixed("sentry-token", "sntryu_", HEX, 64),
    Kind("tailscale-key", lambda d: f"tskey-auth-{d.of(BASE62, 12)}CNTRL-{d.of(BASE62, 32)}"),
    prefixed("alibaba-key-id", "LTAI", BASE62, 20),
    prefixed("contentful-token", "CFPAT-", URL64, 43),
    prefixed("age-key", "AGE-SECRET-" + "KEY-1", BECH32, 58),
)  # fmt: skip

# Where a token of known shape may stand: none of these changes what it is.
PLACES = (
    "{}",
    "token = '{}'",
    'TOKEN="{}"',
    "export TOKEN={}",
    '  "token": "{}",',
    "token: {}  # of the bot",
    "curl https://x.io/?a=1&t={}&b=2",
    r'"line\n{}\n"',
    "<token>{}</token>",
    "(see {})",
    "-{}",
    "a,{},b",
    "\tsay({});\r",
    "git clone https://x-access:{}@git.example.net/a/b",
)

# Where a name tells that what is given to it is secret.
NAMED = (
    "PASSWORD={}",
    "export DB_PASS={}",
    'password = "{}"',
    "passwd: '{}'",
    '"password": "{}",',
    "spring.datasource.password={}",
    "  password: {}",
    "conn.setPassword('{}')",
    'password: str = "{}"',
    "<password>{}</password>",
    '<add key="Password" value="{}"/>',
    "'db_pwd' => '{}',",
    'login("admin", password="{}")',
    r"{\"password\": \"{}\"}".replace("{}", "\0").replace("{", "{{").replace("}", "}}").replace("\0", "{}"),
)  # fmt: skip
KEYED = (
    "SECRET={}",
    "API_KEY={}",
    "export AUTH_TOKEN={}",
    'secret_key = "{}"',
    '"client_secret": "{}",',
    "apiKey: '{}',",
    "X-Api-Key: {}",
    "app.access-token={}",
    "SECRET_KEY_BASE: {}",
    "const apiSecret = `{}`;",
    'private_key := "{}"',
    "encryption-key: {}",
    'jwtSecret: string = "{}";',
    "_auth={}",
)


def lines_with_names() -> Iterator[tuple[str, Callable[[Drawer], str]]]:
    """Lines that give a value to a telling name, and how such values are drawn."""
    for line in NAMED:
        yield line, lambda d: d.password(16)
        yield line, lambda d: d.of(BASE62, 20) + "7"
    for line in KEYED:
        yield line, lambda d: d.of(HEX, 64)
        yield line, lambda d: d.of(HEX, 32)
        yield line, lambda d: d.of(BASE62, 39) + "7"
        yield line, lambda d: d.of(BASE62, 24) + "7"
        yield line, lambda d: b64encode(d.bytes(32)).decode()
        yield line, lambda d: d.of(LOWER36, 31) + "7"


AWS_SECRETS = (
    "aws_secret_access_key = {}",
    "AWS_SECRET_ACCESS_KEY={}",
    "aws configure set aws_secret_access_key {}",
    '"SecretAccessKey": "{}",',
    "aws_secret: {}",
    "AWS_SECRET_KEY='{}'",
)
HEADERS = (
    "Authorization: Bearer {}",
    'curl -H "Authorization: Bearer {}" https://x.io',
    'headers = {{"Authorization": "Bearer {}"}}',
    "req.headers['Authorization'] = 'token {}'",
)
URLS = (
    "postgres://app:{}@db.acme.io:5432/main",
    "mongodb+srv://app:{}@cluster0.ab1cd.mongodb.net/x",
    "redis://:{}@10.1.2.3:6379/0",
    "amqp://app:{}@mq.acme.io",
    "https://bot:{}@git.acme.io/a/b.git",
)


def pem(d: Drawer, kind: str = "RSA ", rows: int = 12) -> str:
    body = "\n".join(d.of(BASE64, 64) for _ in range(rows))
    dashes = "-" * 5
    return f"{dashes}BEGIN {kind}PRIVATE KEY{dashes}\n{body}\n{dashes}END {kind}PRIVATE KEY{dashes}"


# Look-alikes --------------------------------------------------------------------------------------


def alike(d: Drawer) -> Iterator[str]:
    """Lines that no rule may flag, those with random parts drawn anew from each seed."""
    yield from READ_BY_PEOPLE
    sha1, sha256, sha512 = d.of(HEX, 40), d.of(HEX, 64), d.of(HEX, 128)
    uuid = str(UUID(bytes=d.bytes(16)))
    yield f"commit {sha1}"
    yield f"    uses: actions/checkout@{sha1}"
    yield f'"gitHead": "{sha1}",'
    yield f"index {sha1[:10]}..{sha256[:10]} 100644"
    yield f"sha256: {sha256}"
    yield f"{sha256}  dist/tool.tar.gz"
    yield f"hash = sha256:{sha256}"
    yield f'pinned = "{sha512}"'
    yield f"cache_key: {sha1}"
    yield f'key = "{d.of(HEX, 32)}"'
    yield f"etag: {d.of(HEX, 32)}"
    yield f"id: {uuid}"
    yield f"secret_id = {uuid}"
    yield f'token: "{uuid}"'
    yield f"password_hash: $2b$12${d.of(BASE62, 53)}"
    yield f"password: $6$rounds=5000${d.of(BASE62, 8)}${d.of(BASE62, 86)}"
    yield f'integrity "sha512-{b64encode(d.bytes(64)).decode()}"'
    yield f'"integrity": "sha512-{b64encode(d.bytes(64)).decode()}",'
    yield f"--hash=sha256:{sha256}"
    yield f'<script integrity="sha384-{b64encode(d.bytes(48)).decode()}">'
    yield f"background: url(data:image/png;base64,{b64encode(d.bytes(600)).decode()})"
    yield f'src="data:font/woff2;base64,{b64encode(d.bytes(900)).decode()}"'
    yield f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{d.of(BASE64, 43)} me@host"
    yield f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC{d.of(BASE64, 338)} me@host"
    yield f"{'-' * 5}BEGIN CERTIFICATE{'-' * 5}"
    yield from (d.of(BASE64, 64) for _ in range(4))
    yield f"{'-' * 5}BEGIN PUBLIC KEY{'-' * 5}"
    yield f"github.com/a/b v1.2.3/go.mod h1:{b64encode(d.bytes(32)).decode()}"
    yield f'checksum = "{sha256}"'
    yield f"resolved: https://registry.npmjs.org/a/-/a-1.0.0.tgz#{sha1}"
    yield f"csrf_token: {d.of(BASE62, 32)}"
    yield f"public_key: {b64encode(d.bytes(32)).decode()}"
    yield f"key_fingerprint = {d.of(HEX, 40)}"
    yield f'!function(e,t){{var {d.of(LETTERS, 1)}=e.token;t["{d.of(LETTERS, 2)}"]=e.key}}(this);'
    yield f"//# sourceMappingURL=data:application/json;base64,{b64encode(d.bytes(300)).decode()}"
    yield f"password: md5{d.of(HEX, 32)}"
    yield f"image: registry.io/app@sha256:{sha256}"


READ_BY_PEOPLE = (
    "monkey: bananas",
    "keyboard = qwerty",
    "password",
    "password:",
    "password = password",
    'password = ""',
    "password: hunter2",
    "PASSWORD=changeme",
    "PASSWORD=${DB_PASSWORD}",
    "PASSWORD=$DB_PASSWORD",
    "PASSWORD=$(pass show db)",
    "password: {{ vault_db_password }}",
    "password: !vault |",
    "password = os.environ['DB_PASSWORD']",
    'password = os.getenv("DB_PASSWORD", "")',
    "password: process.env.DB_PASSWORD,",
    'password = config["database"]["password"]',
    "password = getpass.getpass()",
    "const password = await readPassword(prompt);",
    'password="<your password here>"',
    "password=********",
    "password = 'xxxxxxxxxxxxxxxx'",
    'secret = "SECRET_KEY_FOR_TESTS"',
    'secret = "not-a-real-secret-value-1"',
    "secret: my-app-secret-name",
    "secretName: tls-wildcard-example-com-2024",
    "secretKeyRef: {name: db, key: password}",
    "client_secret_path = /etc/app/client_secret_v2.json",
    "API_KEY=YOUR_API_KEY_HERE",
    "API_KEY=<token>",
    'api_key = "INSERT-KEY-HERE-0123456789"',
    'api_key: "sk_test_example_key_1234567890"',
    "token = parser.next_token()",
    "token = self.tokens[self.position + 1]",
    "token: Token = lexer.peek(2)",
    'token_url = "https://accounts.acme.io/o/oauth2/v2/token"',
    'token_type = "urn:ietf:params:oauth:token-type:jwt"',
    "max_tokens = 4096",
    "tokenizer = AutoTokenizer.from_pretrained('org/Model-7B-v0.3-instruct')",
    "key = f'{self.prefix}:{user_id}:v2'",
    "primary_key=True",
    "keyCode === 13 || event.key === 'ArrowDown2'",
    "accessKey: accessKeyFromEnvironment2(name)",
    "ACCESS_KEY = aws_session.get_credentials().access_key",
    "api_key = settings.services.Api2.key",
    "privateKey: readFileSync('./certs/server-key-2048.pem')",
    "private_key_file: ~/.ssh/id_ed25519_deploy_2024",
    "signing_key_id = 2024-01-rotation-B7",
    'passphrase = "correct horse battery staple"',
    "passes = 12345678901234567890",
    "bypass: 2024-01-01T00:00:00Z",
    "compass_heading: 270.55512345",
    'minipass: "npm:^7.1.3"',
    "Authorization: Bearer <token>",
    "Authorization: Bearer ${TOKEN}",
    "Authorization: Bearer YOUR_ACCESS_TOKEN",
    'headers = {"Authorization": f"Bearer {token}"}',
    "Authorization: Basic base64(user:password)",
    "Authorization: token OAUTH-TOKEN-GOES-HERE",
    "postgres://user:password@localhost/db",
    "postgres://postgres:postgres@db:5432/app",
    "postgres://user:pass@example.com/db",
    "postgresql://${USER}:${PASSWORD}@${HOST}/db",
    "mysql://root:secret@127.0.0.1/x",
    "https://user:passw0rd@example.org/",
    "redis://:{{ password }}@redis:6379",
    "http://[::1]:8080/@scope/package",
    "https://unpkg.com/pkg@1.2.3/dist/a:b@c.js",
    "ssh://git@github.com:22/a/b@v1.2.3",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_" + "0" * 36,
    "ghp_...",
    "github_pat_",
    'prefix = "ghp_"',
    "sk-ant-...",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-your-key-goes-here-please-and-thank-you-0",
    "risk-assessment-for-2024-and-beyond-in-europe",
    "xoxb-your-token-here",
    "xoxb-1234567890-abcdefghijklmnop",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
    "AKIAXXXXXXXXXXXXXXXX",
    "ASIAPACIFIC_REGION_OFFICES",
    "AIzaSy" + "X" * 33,
    "npm_config_registry=https://registry.npmjs.org/",
    "npm_lifecycle_event_of_the_package_manager",
    "hf_hub_download(repo_id=repo, filename=name)",
    "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
    "_authToken=YOUR-TOKEN-GOES-HERE-00",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "https://discord.com/api/webhooks/WEBHOOK_ID/WEBHOOK_TOKEN",
    "DefaultEndpointsProtocol=https;AccountName=devstore;AccountKey=...",
    "eyJ is how a JSON object begins in base64",
    "SG.Configuration.Builder",
    "SKIP_INTEGRATION_TESTS_IN_CONTINUOUS_BUILDS=1",
    'if "-----BEGIN RSA PRIVATE KEY-----" in text:',
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n<your key>\n-----END RSA PRIVATE KEY-----",
    '"private_key": "-----BEGIN PRIVATE KEY-----\\nREDACTED\\n-----END PRIVATE KEY-----\\n"',
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    'ALPHABET_SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"',
    "test_password_is_checked_before_token_is_issued_2()",
    "class SecretKeyEncryptionServiceProviderFactory2Test {",
    "kubernetes.io/service-account.token: default-token-x7k2p",
    "api.key.name=x-amzn-trace-id-header",
    "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
    "password: %(db_password)s",
    "password = @@DB_PASSWORD@@",
    "token = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1'",
    "secret = 'deadbeefdeadbeefdeadbeefdeadbeef'",
    'MODEL_API_KEY="claude-3-5-sonnet-20241022"',
    "api_key = d41d8cd98f00b204e9800998ecf8427e",
)  # fmt: skip
