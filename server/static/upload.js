// Uploading: Uppy's dashboard over our resumable uploads. A file chosen again goes on where it stopped, also after a
// reload, a lost line or a restart of the server: the parts that arrived whole are asked for first.
(function () {
  "use strict";
  var place = document.getElementById("upload");
  var words = JSON.parse(place.dataset.words);
  var details = document.getElementById("details");
  var done = document.getElementById("done");
  var missing = document.getElementById("missing");
  var running = {};
  var API = "/api/v1";
  var TRIES = 6;

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
    return fetch(API + path, {
      method: method,
      headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal
    }).then(function (response) {
      if (!response.ok) return problem(response);
      return response.status === 204 ? null : response.json();
    });
  }

  function pause(milliseconds, signal) {
    return new Promise(function (resolve, reject) {
      var timer = setTimeout(resolve, milliseconds);
      signal.addEventListener("abort", function () { clearTimeout(timer); reject(new DOMException("", "AbortError")); });
    });
  }

  // A lost line or a restarting server is waited for; what the server refuses is said at once.
  async function patiently(what, signal) {
    for (var attempt = 1; ; attempt += 1) {
      try {
        return await what();
      } catch (error) {
        var final = error.name === "AbortError" || (error.status >= 400 && error.status < 500 && error.status !== 429);
        if (final || attempt === TRIES) throw error;
        uppy.info(words.lost, "warning", 3000);
        await pause(Math.random() * Math.min(30000, 500 * Math.pow(2, attempt)), signal);
      }
    }
  }

  function sendPart(upload, number, blob, signal, onBytes) {
    return new Promise(function (resolve, reject) {
      var request = new XMLHttpRequest();
      request.open("PUT", API + "/uploads/" + upload.id + "/parts/" + number);
      var all = headers({ "Content-Type": "application/octet-stream" });
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
      request.onerror = function () { reject(new Error(words.lost)); };
      signal.addEventListener("abort", function () { request.abort(); reject(new DOMException("", "AbortError")); });
      request.send(blob);
    });
  }

  async function openUpload(file, signal) {
    var query = "/uploads?filename=" + encodeURIComponent(file.name) + "&size=" + file.size;
    var known = await patiently(function () { return call("GET", query, undefined, signal); }, signal);
    if (known.items.length) return known.items[0];
    return patiently(function () {
      return call("POST", "/uploads", { filename: file.name, size: file.size }, signal);
    }, signal);
  }

  async function send(file, signal) {
    var upload = await openUpload(file, signal);
    running[file.id].upload = upload.id;
    var arrived = {};
    upload.parts.forEach(function (part) { arrived[part.number] = part.size; });
    var sent = Object.values(arrived).reduce(function (sum, size) { return sum + size; }, 0);
    function tell(bytes) {
      uppy.emit("upload-progress", uppy.getFile(file.id), {
        uploadStarted: running[file.id].started, bytesUploaded: bytes, bytesTotal: file.size
      });
    }
    tell(sent);
    for (var number = 1; number <= upload.part_count; number += 1) {
      if (arrived[number]) continue;
      var start = (number - 1) * upload.part_size;
      var blob = file.data.slice(start, Math.min(start + upload.part_size, file.size));
      await patiently(sendPart.bind(null, upload, number, blob, signal, function (bytes) { tell(sent + bytes); }), signal);
      sent += blob.size;
      tell(sent);
    }
    await patiently(function () { return call("POST", "/uploads/" + upload.id + "/complete", {}, signal); }, signal);
    return upload.id;
  }

  function makeProgramme(file, upload) {
    var form = new FormData(details);
    return call("POST", "/programmes", {
      title: (file.meta.title || file.name.replace(/\.[^.]+$/, "")).slice(0, 200),
      section: form.get("section"),
      department: form.get("department") || null,
      summary: form.get("summary"),
      upload: upload,
      rights: { source: form.get("source"), licence: form.get("licence") }
    });
  }

  function show(programme) {
    var item = document.createElement("li");
    item.className = "list-group-item d-flex align-items-center gap-2";
    var text = document.createElement("span");
    text.className = "me-auto";
    var title = document.createElement("strong");
    title.textContent = programme.title;
    var state = document.createElement("span");
    state.className = "text-secondary ms-2";
    state.textContent = words.waiting;
    text.append(title, state);
    var link = document.createElement("a");
    link.className = "btn btn-sm";
    link.href = place.dataset.programme.replace("ID", programme.id);
    link.textContent = words.open;
    item.append(text, link);
    done.prepend(item);
  }

  async function uploadOne(id) {
    var file = uppy.getFile(id);
    var control = new AbortController();
    running[id] = { control: control, started: Date.now(), upload: null };
    try {
      var upload = await send(file, control.signal);
      var programme = await makeProgramme(uppy.getFile(id), upload);
      uppy.emit("upload-success", uppy.getFile(id), { status: 200, body: {}, uploadURL: "" });
      show(programme);
    } catch (error) {
      if (error.name !== "AbortError") uppy.emit("upload-error", uppy.getFile(id), error);
    } finally {
      delete running[id];
    }
  }

  var uppy = new window.Uppy.Uppy({
    locale: place.dataset.locale === "zh_CN" && window.Uppy.locales ? window.Uppy.locales.zh_CN : undefined,
    restrictions: { minFileSize: 1 },
    onBeforeUpload: function () {
      var complete = details.reportValidity();
      missing.hidden = complete;
      return complete;
    }
  });
  uppy.use(window.Uppy.Dashboard, {
    target: "#dashboard", inline: true, width: "100%", height: 380, proudlyDisplayPoweredByUppy: false,
    showProgressDetails: true, hideProgressDetails: false, theme: "light",
    metaFields: [{ id: "title", name: words.title }]
  });
  uppy.addUploader(async function (ids) {
    uppy.emit("upload-start", ids.map(function (id) { return uppy.getFile(id); }));
    for (var index = 0; index < ids.length; index += 1) await uploadOne(ids[index]);
  });
  uppy.on("file-removed", function (file) {
    var one = running[file.id];
    if (!one) return;
    one.control.abort();
    if (one.upload) call("DELETE", "/uploads/" + one.upload).catch(function () { /* it is abandoned in time */ });
  });
  uppy.on("cancel-all", function () {
    Object.values(running).forEach(function (one) { one.control.abort(); });
  });
  window.addEventListener("beforeunload", function (event) {
    if (Object.keys(running).length) event.preventDefault();
  });
})();
