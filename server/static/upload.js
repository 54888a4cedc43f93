// The upload page: Uppy's dashboard over our resumable uploads (sending.js).
(function () {
  "use strict";
  var place = document.getElementById("upload");
  var words = JSON.parse(place.dataset.words);
  var details = document.getElementById("details");
  var done = document.getElementById("done");
  var missing = document.getElementById("missing");
  var running = {};
  var sending = window.yuanbo.sending;
  var call = sending.call;

  async function send(file, signal) {
    function tell(bytes) {
      uppy.emit("upload-progress", uppy.getFile(file.id), {
        uploadStarted: running[file.id].started, bytesUploaded: bytes, bytesTotal: file.size
      });
    }
    var done = await sending.send(file.data, {
      signal: signal,
      onUpload: function (upload) {
        running[file.id].upload = upload.id;
        sending.notes.keep(upload.id, describe(uppy.getFile(file.id)));
      },
      onBytes: tell,
      onChecking: function () { uppy.info(words.checking, "info", 2000); },
      onLost: function () { uppy.info(words.lost, "warning", 3000); }
    });
    return done.upload;
  }

  // What is said of a file: its own title, everything else as in the form beside.
  function describe(file) {
    var form = new FormData(details);
    return {
      title: (file.meta.title || file.name.replace(/\.[^.]+$/, "")).slice(0, 200),
      section: form.get("section"),
      department: form.get("department") || null,
      summary: form.get("summary"),
      sections: form.getAll("sections"),
      tags: String(form.get("tags") || "").split(/[;；,，、]/).filter(function (tag) { return tag.trim(); }),
      local_type: form.get("local_type"),
      audience: form.get("audience"),
      months: form.getAll("months").map(Number),
      course: form.get("course") || null,
      rights: { source: form.get("source"), licence: form.get("licence") }
    };
  }

  function makeProgramme(file, upload) {
    return call("POST", "/programmes", Object.assign({ upload: upload }, describe(file)));
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
      sending.notes.drop(upload);
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
