// Sending a file in parts, for every page that uploads: what arrived is asked for first, a lost line or a restarting
// server is waited for, a file that is here already is recognised before it is sent, and a large one is checked by the
// server afterwards. In S3 mode each part goes to an address of its own.
(function () {
  "use strict";
  var API = "/api/v1";
  var TRIES = 8;
  var POLL_MS = 1000;

  function headers(more) {
    var all = { "X-CSRFToken": window.yuanbo.csrf(), "Accept-Language": document.documentElement.lang };
    Object.keys(more || {}).forEach(function (name) { all[name] = more[name]; });
    return all;
  }

  function problem(response) {
    return response.json().then(
      function (body) { return new Error(body.detail || body.title || String(response.status)); },
      function () { return new Error("HTTP " + response.status); }
    ).then(function (error) {
      error.status = response.status;
      throw error;
    });
  }

  function call(method, path, body, signal) {
    var isRaw = body instanceof Blob;
    var sent = body === undefined || isRaw ? body : JSON.stringify(body);
    var type = body === undefined ? {} : { "Content-Type": isRaw ? "application/octet-stream" : "application/json" };
    return fetch(API + path, { method: method, headers: headers(type), body: sent, signal: signal }).then(function (response) {
      if (!response.ok) return problem(response);
      return response.status === 204 ? null : response.json();
    });
  }

  function pause(milliseconds, signal) {
    return new Promise(function (resolve, reject) {
      var timer = setTimeout(resolve, milliseconds);
      if (signal) signal.addEventListener("abort", function () { clearTimeout(timer); reject(new DOMException("", "AbortError")); });
    });
  }

  async function patiently(what, options) {
    for (var attempt = 1; ; attempt += 1) {
      try {
        return await what();
      } catch (error) {
        var final = error.name === "AbortError" || (error.status >= 400 && error.status < 500 && error.status !== 429);
        if (final || attempt === TRIES) throw error;
        if (options.onLost) options.onLost();
        await pause(Math.random() * Math.min(30000, 500 * Math.pow(2, attempt)), options.signal);
      }
    }
  }

  function put(url, blob, all, options, onBytes) {
    return new Promise(function (resolve, reject) {
      var request = new XMLHttpRequest();
      request.open("PUT", url);
      Object.keys(all).forEach(function (name) { request.setRequestHeader(name, all[name]); });
      request.upload.onprogress = function (event) { onBytes(event.loaded); };
      request.onload = function () {
        if (request.status < 300) { resolve(); return; }
        var detail = "HTTP " + request.status;
        try { detail = JSON.parse(request.responseText).detail || detail; } catch (ignored) { /* no problem details */ }
        var error = new Error(detail);
        error.status = request.status;
        reject(error);
      };
      request.onerror = function () { reject(new Error("network")); };
      if (options.signal) options.signal.addEventListener("abort", function () { request.abort(); reject(new DOMException("", "AbortError")); });
      request.send(blob);
    });
  }

  async function sendPart(upload, number, blob, options, onBytes) {
    var path = API + "/uploads/" + upload.id + "/parts/" + number;
    if (!upload.direct) return put(path, blob, headers({ "Content-Type": "application/octet-stream" }), options, onBytes);
    var place = await call("GET", "/uploads/" + upload.id + "/parts/" + number + "/url", undefined, options.signal);
    return put(place.url, blob, {}, options, onBytes);
  }

  function hex(buffer) {
    return Array.from(new Uint8Array(buffer)).map(function (byte) { return byte.toString(16).padStart(2, "0"); }).join("");
  }

  function partOf(upload, file, number) {
    var start = (number - 1) * upload.part_size;
    return file.slice(start, Math.min(start + upload.part_size, file.size));
  }

  // SHA-256 by the browser itself, a part at a time: only where it may (https, or this very machine).
  async function etagOf(upload, file, number) {
    return hex(await crypto.subtle.digest("SHA-256", await partOf(upload, file, number).arrayBuffer()));
  }

  async function recognise(upload, file, options) {
    if (!upload.twin || upload.parts.length || !window.crypto || !crypto.subtle) return null;
    var etags = "";
    for (var number = 1; number <= upload.part_count; number += 1) {
      if (options.signal && options.signal.aborted) throw new DOMException("", "AbortError");
      etags += await etagOf(upload, file, number);
    }
    var digest = hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(etags)));
    var answer = await call("POST", "/uploads/" + upload.id + "/recognise", { parts_sha256: digest }, options.signal);
    return answer.asset;
  }

  async function open(file, options) {
    var query = "/uploads?filename=" + encodeURIComponent(file.name) + "&size=" + file.size;
    var known = await patiently(function () { return call("GET", query, undefined, options.signal); }, options);
    if (known.items.length) return known.items[0];
    return patiently(function () {
      return call("POST", "/uploads", { filename: file.name, size: file.size }, options.signal);
    }, options);
  }

  // What arrived of the very same bytes: a part of another file with this name is sent anew.
  async function arrivedOf(upload, file) {
    var arrived = {};
    for (var index = 0; index < upload.parts.length; index += 1) {
      var part = upload.parts[index];
      var canTell = !upload.direct && window.crypto && crypto.subtle;
      if (!canTell || (await etagOf(upload, file, part.number)) === part.etag) arrived[part.number] = part.size;
    }
    return arrived;
  }

  async function complete(upload, options) {
    for (;;) {
      var answer = await patiently(function () { return call("POST", "/uploads/" + upload.id + "/complete", {}, options.signal); }, options);
      if (answer.sha256) return answer;
      while (answer.state === "checking") {
        if (options.onChecking) options.onChecking(answer.checked / answer.size);
        await pause(POLL_MS, options.signal);
        answer = await patiently(function () { return call("GET", "/uploads/" + upload.id, undefined, options.signal); }, options);
      }
      if (answer.state === "open") { var error = new Error(answer.error || "upload"); error.again = true; throw error; }
    }
  }

  // options: signal, onUpload(upload), onBytes(sent), onChecking(share), onLost(). The completed asset with its upload.
  async function send(file, options) {
    for (var round = 1; ; round += 1) {
      var upload = await open(file, options);
      if (options.onUpload) options.onUpload(upload);
      var known = await recognise(upload, file, options);
      if (known) { options.onBytes(file.size); return { upload: upload.id, asset: known }; }
      var arrived = await arrivedOf(upload, file);
      var sent = Object.values(arrived).reduce(function (sum, size) { return sum + size; }, 0);
      options.onBytes(sent);
      for (var number = 1; number <= upload.part_count; number += 1) {
        if (arrived[number]) continue;
        var blob = partOf(upload, file, number);
        await patiently(sendPart.bind(null, upload, number, blob, options, function (bytes) { options.onBytes(sent + bytes); }), options);
        sent += blob.size;
        options.onBytes(sent);
      }
      try {
        return { upload: upload.id, asset: await complete(upload, options) };
      } catch (error) {
        if (!error.again || round === 3) throw error;
      }
    }
  }

  // What is to become of an upload, kept in this browser so that it can be finished on any page after a reload.
  var notes = {
    key: function (id) { return "yuanbo.upload." + id; },
    keep: function (id, programme) { try { localStorage.setItem(notes.key(id), JSON.stringify(programme)); } catch (ignored) { /* private window */ } },
    find: function (id) { try { return JSON.parse(localStorage.getItem(notes.key(id))); } catch (ignored) { return null; } },
    drop: function (id) { try { localStorage.removeItem(notes.key(id)); } catch (ignored) { /* private window */ } }
  };

  window.yuanbo.sending = { call: call, send: send, notes: notes };
})();
