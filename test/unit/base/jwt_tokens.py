#!/usr/bin/env python3
"""Makes jwt_tokens.h: keys and tokens for jwt_test.c, by PyJWT (Debian:
python3-jwt), and by hand where PyJWT refuses to.

  /usr/bin/python3 jwt_tokens.py >jwt_tokens.h

All keys are new each time; the private ones are in no file."""
import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa)

NOW = 1_800_000_000  # seconds since 1970
SECRET = b"a secret for tests of 42 bytes, not fewer."
GOOD = {"sub": "ann", "exp": NOW + 3600}
ALL = {"sub": "ann", "exp": NOW + 3600, "nbf": NOW - 5, "iat": NOW - 10,
       "tenant": "acme", "iss": "https://issuer.example/", "jti": "1",
       "confab": {"publish": ["users/%u/#"], "subscribe": ["#"], "manage": [],
                  "admin": False, "mount": "home"}}

out = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def text(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def message(header, claims):
    return b64(text(header)) + b"." + b64(text(claims))


def by_hand(header, claims, sign):
    m = message(header, claims)
    return (m + b"." + b64(sign(m))).decode()


def hs(key, digest=hashlib.sha256):
    return lambda m: hmac.new(key, m, digest).digest()


def pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo)


HS = {"alg": "HS256", "typ": "JWT"}
rsa_key = rsa.generate_private_key(65537, 2048)
rsa_other = rsa.generate_private_key(65537, 2048)
rsa_small = rsa.generate_private_key(65537, 1024)
ec_key = ec.generate_private_key(ec.SECP256R1())
ec_other = ec.generate_private_key(ec.SECP256R1())
ec_384 = ec.generate_private_key(ec.SECP384R1())
ec_koblitz = ec.generate_private_key(ec.SECP256K1())
ed_key = ed25519.Ed25519PrivateKey.generate()
ed_other = ed25519.Ed25519PrivateKey.generate()

# ---- keys

out["SECRET_TEXT"] = SECRET.decode()
out["PUBLIC_RSA"] = pem(rsa_key).decode()
out["PUBLIC_P256"] = pem(ec_key).decode()
out["PUBLIC_ED25519"] = pem(ed_key).decode()
out["PUBLIC_RSA_1024"] = pem(rsa_small).decode()
out["PUBLIC_P384"] = pem(ec_384).decode()
out["PUBLIC_SECP256K1"] = pem(ec_koblitz).decode()

# ---- tokens that hold

out["HS256_GOOD"] = jwt.encode(ALL, SECRET, "HS256")
out["RS256_GOOD"] = jwt.encode(ALL, rsa_key, "RS256")
out["ES256_GOOD"] = jwt.encode(ALL, ec_key, "ES256")
out["EDDSA_GOOD"] = jwt.encode(ALL, ed_key, "EdDSA")
out["HS256_WITH_KID"] = jwt.encode(GOOD, SECRET, "HS256", {"kid": "2026-11"})
out["HS256_PRETTY"] = by_hand(json.dumps(HS, indent=2).encode(),
                              json.dumps(GOOD, indent=2).encode(), hs(SECRET))


def es256_with(begins):
    """A signature whose R or S begins with a zero byte, or with a set bit."""
    i = 0
    while True:
        i += 1
        token = jwt.encode({**GOOD, "jti": str(i)}, ec_key, "ES256")
        part = token.rsplit(".", 1)[1]
        raw = base64.urlsafe_b64decode(part + "==")
        if begins(raw):
            return token


out["ES256_SHORT_R"] = es256_with(lambda s: s[0] == 0)
out["ES256_SHORT_S"] = es256_with(lambda s: s[32] == 0)
out["ES256_SHORT_R_HIGH"] = es256_with(lambda s: s[0] == 0 and s[1] >= 0x80)
out["ES256_HIGH_BITS"] = es256_with(lambda s: s[0] >= 0x80 and s[32] >= 0x80)

# ---- `none`

for i, name in enumerate(["none", "None", "NONE", "nOnE"]):
    m = message({"alg": name, "typ": "JWT"}, ALL).decode()
    out[f"NONE_{i}"] = m + "."
    out[f"NONE_{i}_SIGNED"] = by_hand({"alg": name}, ALL, hs(SECRET))
out["NONE_BY_PYJWT"] = jwt.encode(ALL, "", "none")
out["UNSIGNED_HS256"] = message(HS, ALL).decode() + "."
out["UNSIGNED_ES256"] = message({"alg": "ES256"}, ALL).decode() + "."

# ---- other algorithms, other keys

out["HS256_BY_RSA_PEM"] = by_hand(HS, ALL, hs(pem(rsa_key)))
out["HS256_BY_RSA_PEM_STRIPPED"] = by_hand(HS, ALL, hs(pem(rsa_key).strip()))
out["HS256_BY_P256_PEM"] = by_hand(HS, ALL, hs(pem(ec_key)))
out["HS256_BY_ED25519_PEM"] = by_hand(HS, ALL, hs(pem(ed_key)))
out["HS256_BY_ED25519_BYTES"] = by_hand(HS, ALL, hs(
    ed_key.public_key().public_bytes(serialization.Encoding.Raw,
                                     serialization.PublicFormat.Raw)))
out["HS256_BY_NOTHING"] = by_hand(HS, ALL, hs(b""))
out["HS256_BY_OTHER"] = by_hand(HS, ALL, hs(b"another secret of more than 32 bytes"))
out["HS384"] = jwt.encode(ALL, SECRET, "HS384")
out["HS512"] = jwt.encode(ALL, SECRET, "HS512")
out["RS384"] = jwt.encode(ALL, rsa_key, "RS384")
out["PS256"] = jwt.encode(ALL, rsa_key, "PS256")
out["RS256_BY_OTHER"] = jwt.encode(ALL, rsa_other, "RS256")
out["RS256_AS_PS256"] = by_hand(
    {"alg": "RS256"}, ALL,
    lambda m: rsa_key.sign(m, padding.PSS(padding.MGF1(hashes.SHA256()), 32),
                           hashes.SHA256()))
out["RS256_WITH_SHA1"] = by_hand(
    {"alg": "RS256"}, ALL,
    lambda m: rsa_key.sign(m, padding.PKCS1v15(), hashes.SHA1()))
out["ES256_BY_OTHER"] = jwt.encode(ALL, ec_other, "ES256")
out["ES256_BY_P384"] = jwt.encode(ALL, ec_384, "ES384").replace(
    b64(b'{"alg":"ES384","typ":"JWT"}').decode(),
    b64(b'{"alg":"ES256","typ":"JWT"}').decode())
out["EDDSA_BY_OTHER"] = jwt.encode(ALL, ed_other, "EdDSA")
out["ES256K"] = jwt.encode(ALL, ec_koblitz, "ES256K")

# The key that made it comes along (CVE-2018-0114), or is said to be elsewhere.
numbers = rsa_other.public_key().public_numbers()
out["RS256_BRINGS_ITS_KEY"] = jwt.encode(ALL, rsa_other, "RS256", {
    "jwk": {"kty": "RSA", "e": "AQAB",
            "n": b64(numbers.n.to_bytes(256, "big")).decode()}})
out["RS256_SAYS_WHERE"] = jwt.encode(ALL, rsa_other, "RS256", {
    "jku": "https://attacker.example/jwks.json",
    "x5u": "https://attacker.example/key.pem"})
out["HS256_KID_IS_A_FILE"] = by_hand({**HS, "kid": "../../../../dev/null"},
                                     ALL, hs(b""))

# ---- signatures

es = {"alg": "ES256", "typ": "JWT"}
out["ES256_ZERO"] = by_hand(es, ALL, lambda m: bytes(64))  # CVE-2022-21449
out["ES256_DER"] = by_hand(
    es, ALL, lambda m: ec_key.sign(m, ec.ECDSA(hashes.SHA256())))


def order_signature(m):
    """R and S are the curve's order, which is zero."""
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return n.to_bytes(32, "big") * 2


out["ES256_ORDER"] = by_hand(es, ALL, order_signature)
out["EDDSA_ZERO"] = by_hand({"alg": "EdDSA"}, ALL, lambda m: bytes(64))
out["RS256_ZERO"] = by_hand({"alg": "RS256"}, ALL, lambda m: bytes(256))
out["HS256_TRUNCATED"] = by_hand(HS, ALL, lambda m: hs(SECRET)(m)[:16])
out["HS256_LONGER"] = by_hand(HS, ALL, lambda m: hs(SECRET)(m) + b"\0")

# ---- headers

for name, header in {
        "ARRAY": b"[]", "TEXT": b'"HS256"', "NO_JSON": b"{alg:HS256}",
        "EMPTY_OBJECT": b"{}", "NO_ALG": {"typ": "JWT"},
        "ALG_NULL": {"alg": None}, "ALG_ARRAY": {"alg": ["HS256"]},
        "ALG_NUMBER": {"alg": 256},
        "ALG_TWICE": b'{"alg":"none","alg":"HS256"}',
        "ALG_TWICE_ESCAPED": b'{"alg":"HS256","\\u0061lg":"none"}',
        "ALG_ESCAPED_NAME": b'{"\\u0061lg":"HS256"}',
        "CRIT": {**HS, "crit": ["exp"]},
        "CRIT_EMPTY": {**HS, "crit": []},
        "CRIT_B64": {**HS, "b64": False, "crit": ["b64"]},
        "TRAILING": b'{"alg":"HS256"}{}'}.items():
    out[f"HEADER_{name}"] = by_hand(header, ALL, hs(SECRET))
for name, alg in {"ALG_EMPTY": "", "ALG_LOWER": "hs256", "ALG_SPACE": "HS256 ",
                  "ALG_NUL": "HS256\0"}.items():
    out[f"HEADER_{name}"] = by_hand({"alg": alg}, ALL, hs(SECRET))
out["HEADER_ALG_ESCAPED"] = by_hand(b'{"alg":"HS\\u003256"}', ALL, hs(SECRET))

# ---- claims; jwt_claims_test.c has more


def claims(name, value):
    out[f"CLAIMS_{name}"] = by_hand(HS, value, hs(SECRET))


claims("ARRAY", b"[]")
claims("NO_JSON", b"sub=ann")
claims("TWICE", b'{"exp":1800003600,"sub":"ann","sub":"root"}')
claims("RIGHT", {**GOOD, "confab": {"publish": ["$SYS/#"]}})
claims("NO_EXP", {"sub": "ann"})
claims("EXP_NOW", {"sub": "ann", "exp": NOW})
claims("EXP_OLD", {"sub": "ann", "exp": NOW - 3600})
claims("EXP_ZERO", {"sub": "ann", "exp": 0})
claims("NBF_NOW", {**GOOD, "nbf": NOW})
claims("AUD_OTHER", {**GOOD, "aud": "billing"})
claims("AUD_OURS", {**GOOD, "aud": ["billing", "confab"]})

# ---- size: base64 has no text of any length, this is the longest below the limit


def padded(length):
    return by_hand(HS, {**GOOD, "x": "x" * length}, hs(SECRET))


pad = 5000
while len(padded(pad + 1)) <= 8192:
    pad += 1
out["LONGEST"] = padded(pad)
out["TOO_LONG"] = padded(pad + 1)

# ---- printed

print("/* Made by jwt_tokens.py. */\n/* clang-format off */")
print(f"#define JWT_NOW_US INT64_C({NOW * 1_000_000})")
for name, value in out.items():
    lines = value.splitlines(keepends=True) if "\n" in value else [value]
    pieces = []
    for line in lines:
        while line:
            # 1,000 characters a line are enough for every compiler and editor
            piece, line = line[:1000], line[1000:]
            pieces.append(json.dumps(piece))
    print(f"#define {name} \\\n    " + " \\\n    ".join(pieces))
