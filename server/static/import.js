// Bulk import: the list and the names of the files go to the server, which says row by row what they would become; then
// the rows that are ready are sent one after another. Run again, it skips what is here already.
(function () {
  "use strict";
  var place = document.getElementById("import");
  var words = JSON.parse(place.dataset.words);
  var sending = window.yuanbo.sending;
  var sheet = document.getElementById("sheet"), folder = document.getElementById("folder");
  var problem = document.getElementById("problem"), body = document.getElementById("rows");
  var run = document.getElementById("run"), summary = document.getElementById("summary");
  var colours = { "new": "azure", exists: "secondary", bad: "red", created: "green", failed: "red", sending: "azure", checking: "azure" };
  var files = {}, rows = [], busy = false;

  function complain(text) { problem.textContent = text; problem.hidden = !text; }

  function pathOf(file) {
    var path = file.webkitRelativePath || file.name;
    return path.indexOf("/") >= 0 ? path.slice(path.indexOf("/") + 1) : path;
  }

  async function listed(file) {
    var head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    return { path: pathOf(file), size: file.size, head: Array.from(head).map(function (byte) { return byte.toString(16).padStart(2, "0"); }).join("") };
  }

  function base64(file) {
    return new Promise(function (resolve, reject) {
      var reader = new FileReader();
      reader.onload = function () { resolve(String(reader.result).split(",")[1] || ""); };
      reader.onerror = function () { reject(reader.error); };
      reader.readAsDataURL(file);
    });
  }

  function cell(row, text, className) {
    var made = document.createElement("td");
    made.textContent = text;
    if (className) made.className = className;
    row.append(made);
    return made;
  }

  function tell(row, state, text) {
    row.state = state;
    row.shown.textContent = "";
    var badge = document.createElement("span");
    badge.className = "badge bg-" + colours[state] + "-lt";
    badge.textContent = words[state];
    row.shown.append(badge);
    if (row.id || row.existing) {
      var link = document.createElement("a");
      link.href = place.dataset.programme.replace("ID", row.id || row.existing);
      link.className = "ms-2";
      link.textContent = "→";
      link.setAttribute("aria-label", row.title);
      row.shown.append(link);
    }
    if (text) {
      var why = document.createElement("div");
      why.className = "small text-secondary";
      why.textContent = text;
      row.shown.append(why);
    }
  }

  function count() {
    var all = {};
    rows.forEach(function (row) { all[row.state] = (all[row.state] || 0) + 1; });
    summary.textContent = Object.keys(all).map(function (state) { return words[state] + " " + all[state]; }).join(" · ");
    run.disabled = busy || !all["new"];
  }

  function show(items) {
    body.textContent = "";
    rows = items;
    items.forEach(function (row) {
      var line = document.createElement("tr");
      cell(line, row.row, "yb-num");
      cell(line, row.title);
      cell(line, row.files.join(" + "), "text-secondary small text-break");
      row.shown = cell(line, "");
      body.append(line);
      tell(row, row.state, row.problems.map(function (one) { return one.text; }).join("；"));
    });
    document.getElementById("plan").hidden = false;
    document.getElementById("nothing").hidden = true;
    count();
  }

  document.getElementById("check").addEventListener("click", async function () {
    complain("");
    if (!sheet.files.length || !folder.files.length) { complain(words.nothing); return; }
    try {
      files = {};
      var all = Array.from(folder.files).filter(function (file) { return !/(^|\/)[.~]/.test(pathOf(file)); });
      all.forEach(function (file) { files[pathOf(file)] = file; });
      show((await sending.call("POST", "/imports/check", {
        filename: sheet.files[0].name, content: await base64(sheet.files[0]), files: await Promise.all(all.map(listed))
      })).items);
    } catch (error) { complain(error.message); }
  });

  // Pieces of a disc are one file to the browser too: a Blob of several, joined without being read.
  function sourceOf(row) {
    var parts = row.files.map(function (name) { return files[name]; });
    return parts.length === 1 ? parts[0] : new File(parts, parts[0].name);
  }

  async function one(row) {
    var source = sourceOf(row);
    tell(row, "sending", "0 %");
    try {
      var done = await sending.send(source, {
        onUpload: function (upload) { sending.notes.keep(upload.id, row.programme); },
        onBytes: function (bytes) { tell(row, "sending", Math.floor(100 * bytes / source.size) + " %"); },
        onChecking: function (share) { tell(row, "checking", Math.floor(100 * share) + " %"); },
        onLost: function () { tell(row, "sending", words.lost); }
      });
      var programme = await sending.call("POST", "/programmes", Object.assign({ upload: done.upload }, row.programme));
      sending.notes.drop(done.upload);
      row.id = programme.id;
      await companions(row, programme.edition);
      tell(row, "created");
    } catch (error) { tell(row, "failed", error.message); }
    count();
  }

  async function companions(row, edition) {
    for (var kind of ["subtitles", "attachments"]) {
      for (var name of row[kind]) {
        var path = "/editions/" + edition + "/" + kind + "?filename=" + encodeURIComponent(files[name].name);
        await sending.call("POST", path, files[name].slice());
      }
    }
  }

  run.addEventListener("click", async function () {
    busy = true;
    count();
    for (var row of rows) if (row.state === "new") await one(row);
    busy = false;
    count();
  });
  window.addEventListener("beforeunload", function (event) { if (busy) event.preventDefault(); });
})();
