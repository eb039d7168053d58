// A new value from outside becomes a Secret, after the checks that the API makes for one set by hand.
import { createSecret } from "@onecli/sdk/contract";
import { authModeOf, checkValue } from "../api/secret-validation.ts";
import { ApiError } from "../api/problem.ts";
import type { Credential } from "../model.ts";
import { Secret } from "../vault/secret.ts";
import { RotationError } from "./error.ts";

/** @throws RotationError that says what is wrong, never with what */
export function acceptValue(credential: Credential, text: string): Secret {
  const parsed = createSecret.shape.value.safeParse(text);
  if (!parsed.success) {
    throw new RotationError(`the new value ${parsed.error.issues[0]?.message ?? "is not valid"}`);
  }
  checkPlaceable(credential, parsed.data);
  // The kind says in which field the value goes and which fake key agents hold: a change of it is a human's decision.
  if (authModeOf(credential.type, parsed.data) !== credential.authMode) {
    throw new RotationError("the new value is another kind of key than the present one; set it by hand");
  }
  return Secret.of(parsed.data);
}

function checkPlaceable(credential: Credential, value: string): void {
  try {
    checkValue(credential, value);
  } catch (error) {
    if (error instanceof ApiError) throw new RotationError(`the new ${error.message}`);
    throw error;
  }
}
