// Talks to the server; addresses are relative, so that the page works below any path.

/** Why there is no result, in words for people. */
export class Problem extends Error {
  /**
   * @param {string} detail What happened and what to do.
   * @param {{title?: string, retry?: boolean, requestId?: string}} more `retry`: whether another try may help.
   */
  constructor(detail, { title = "It could not be read", retry = false, requestId = "" } = {}) {
    super(detail);
    this.title = title;
    this.retry = retry;
    this.requestId = requestId;
  }
}

// Of the statuses that another try may change, and of nobody's fault but the server's.
const TITLES = {
  408: "The upload took too long",
  413: "The photo is too large",
  415: "This is no photo that can be read",
  429: "The server is busy",
  500: "The server made a mistake",
  503: "The server is not ready",
  504: "It took too long",
};
const WORTH_A_TRY = [408, 429, 500, 502, 503, 504];

/**
 * What the server takes; `null` where it does not say.
 * @returns {Promise<{max_file_bytes: number, formats: string[]} | null>}
 */
export async function fetchLimits() {
  try {
    const answer = await fetch("v1/limits");
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/**
 * Have a photo read.
 * @param {File} photo
 * @param {"json" | "hocr"} format
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>} The answer, which is a good one.
 * @throws {Problem} Whatever went wrong; an `AbortError` passes as it is.
 */
export async function read(photo, format, signal) {
  const body = new FormData();
  body.append("image", photo, photo.name);
  let answer;
  try {
    answer = await fetch(`v1/read?format=${format}`, { method: "POST", body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const detail = "Check that it is still running and that you are connected, then try again.";
    throw new Problem(detail, { title: "The server cannot be reached", retry: true });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer) {
  // What stands before the server, a proxy, may answer in its own way.
  const told = await answer.json().catch(() => ({}));
  return new Problem(told.detail ?? `The answer was ${answer.status} ${answer.statusText}.`, {
    title: TITLES[answer.status],
    retry: WORTH_A_TRY.includes(answer.status),
    requestId: answer.status === 500 ? told.request_id : "",
  });
}
