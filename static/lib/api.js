// The HTTP half of the server. Every refusal becomes a `Problem` with the server's stable code and
// a sentence a person can read, so that callers never look at a status or a body themselves.

const TIMEOUT_MS = 20_000;

export class Problem extends Error {
  constructor({ code, detail, status = 0, temporary = false, ...more }) {
    super(detail || code);
    this.name = "Problem";
    this.code = code;
    this.detail = detail || "Something went wrong. Please try again.";
    this.status = status;
    this.temporary = temporary;
    this.more = more;
  }
}

export const api = {
  get: (path, query) => request("GET", path + queryString(query)),
  post: (path, body) => request("POST", path, body ?? {}),
  put: (path, body) => request("PUT", path, body ?? {}),
  patch: (path, body) => request("PATCH", path, body ?? {}),
  delete: (path, body) => request("DELETE", path, body),
  /** Sends a `Blob` as what it is. */
  upload: (path, blob) => request("PUT", path, blob),
};

/** A path with every part escaped: path`/rooms/${id}/join`. */
export function path(strings, ...values) {
  return String.raw({ raw: strings }, ...values.map((value) => encodeURIComponent(value)));
}

async function request(method, route, body) {
  const raw = body instanceof Blob;
  const type = raw ? body.type : "application/json";
  let response;
  try {
    response = await fetch("/api/v1" + route, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "content-type": type },
      body: raw || body === undefined ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem({
      code: "unreachable",
      detail: "The server cannot be reached. Please try again.",
      temporary: true,
    });
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Problem({ code: "internal", ...answer, status: response.status });
}

function queryString(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? "?" + new URLSearchParams(given) : "";
}
