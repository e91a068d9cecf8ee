"""Judges each case of a file: `judge.py PyJWT|authlib FILE` prints a list of verdicts."""

import json
import sys

import authlib.jose
import jwt

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def by_pyjwt(case, issuer, audience):
    keys = jwt.PyJWKSet.from_dict(case["jwks"])
    kid = jwt.get_unverified_header(case["token"]).get("kid")
    fitting = [key for key in keys.keys if key.key_id == kid and key.public_key_use in (None, "sig")]
    if not fitting:
        raise ValueError("no key of this kid")
    jwt.decode(case["token"], fitting[0], algorithms=ALGORITHMS, audience=audience, issuer=issuer, leeway=60,
               options={"require": ["exp", "iss", "aud", "sub"]})


def by_authlib(case, issuer, audience):
    keys = authlib.jose.JsonWebKey.import_key_set(case["jwks"])
    claims = authlib.jose.JsonWebToken(ALGORITHMS).decode(case["token"], keys, claims_options={
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": audience},
        "exp": {"essential": True},
        "sub": {"essential": True},
    })
    claims.validate(leeway=60)


def main():
    judge, path = sys.argv[1:]
    with open(path) as file:
        asked = json.load(file)
    verify = by_pyjwt if judge == "PyJWT" else by_authlib
    verdicts = []
    for case in asked["cases"]:
        try:
            verify(case, asked["issuer"], asked["audience"])
            verdicts.append({"accepted": True, "reason": "accepted"})
        except Exception as error:  # Whatever it raises, it has not accepted the token.
            verdicts.append({"accepted": False, "reason": f"{type(error).__name__}: {error}"})
    json.dump(verdicts, sys.stdout)


main()
