// Why the certificate authority refuses.

export type AuthorityErrorCode = "bad_server_name" | "expired" | "damaged";

export class AuthorityError extends Error {
  readonly code: AuthorityErrorCode;

  constructor(code: AuthorityErrorCode, message: string) {
    super(message);
    this.name = "AuthorityError";
    this.code = code;
  }
}
