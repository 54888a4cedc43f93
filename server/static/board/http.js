// Calls of the JSON API from a page: the session's cookie, the page's CSRF token, problem details as an error.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || String(status));
    this.status = status;
    this.code = problem.code || "";
    this.problem = problem;
  }
}

// The answer's JSON (null where it has none); {notModified: true} for 304. Throws Refusal, or TypeError when the line is down.
export async function call(method, path, body, headers = {}) {
  const response = await fetch(path, {
    method,
    headers: {
      Accept: "application/json",
      "X-CSRFToken": window.yuanbo.csrf(),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "same-origin",
  });
  if (response.status === 304) return { notModified: true };
  const text = await response.text();
  let content = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    content = null;
  }
  if (!response.ok) throw new Refusal(response.status, content || {});
  if (content && response.headers.get("ETag")) Object.defineProperty(content, "etag", { value: response.headers.get("ETag") });
  return content;
}
