// The upload tray: on every page it shows what is not finished yet. One file chosen again goes on where it stopped, here
// and now, and becomes the programme that was described when it was begun.
(function () {
  "use strict";
  var tray = document.getElementById("tray");
  if (!tray || document.getElementById("upload") || document.getElementById("import")) return;
  var words = JSON.parse(tray.dataset.words), sending = window.yuanbo.sending;
  var list = tray.querySelector("ul"), picker = tray.querySelector("input"), running = 0, wanted = null;

  function text(tag, className, content) {
    var made = document.createElement(tag);
    made.className = className;
    made.textContent = content;
    return made;
  }

  function share(upload) {
    if (upload.state === "checking") return upload.checked / upload.size;
    return upload.parts.reduce(function (sum, part) { return sum + part.size; }, 0) / upload.size;
  }

  function line(upload) {
    var item = text("li", "yb-tray-item", "");
    var name = text("div", "yb-tray-name", upload.filename);
    var bar = text("div", "progress progress-sm", ""), filled = text("div", "progress-bar", "");
    var state = text("span", "small text-secondary me-auto", "");
    var row = text("div", "d-flex gap-2 align-items-center", "");
    bar.append(filled);
    row.append(state);
    item.append(name, bar, row);
    item.set = function (part, said) { filled.style.width = Math.floor(100 * part) + "%"; state.textContent = said + " " + Math.floor(100 * part) + " %"; };
    item.say = function (said) { state.textContent = said; };
    item.row = row;
    item.set(share(upload), upload.state === "checking" ? words.checking : words.stopped);
    if (upload.state === "open") {
      var on = text("button", "btn btn-sm btn-primary", words.on), off = text("button", "btn btn-sm", words.off);
      on.type = off.type = "button";
      on.addEventListener("click", function () { wanted = { upload: upload, item: item }; picker.value = ""; picker.click(); });
      off.addEventListener("click", async function () {
        await sending.call("DELETE", "/uploads/" + upload.id);
        sending.notes.drop(upload.id);
        item.remove();
        tray.hidden = !list.children.length;
      });
      row.append(off, on);
      item.buttons = [on, off];
    }
    return item;
  }

  picker.addEventListener("change", async function () {
    var file = picker.files[0], upload = wanted.upload, item = wanted.item;
    if (!file) return;
    if (file.name !== upload.filename || file.size !== upload.size) { item.say(words.other); return; }
    item.buttons.forEach(function (button) { button.remove(); });
    running += 1;
    try {
      var done = await sending.send(file, {
        onBytes: function (bytes) { item.set(bytes / file.size, words.sending); },
        onChecking: function (part) { item.set(part, words.checking); },
        onLost: function () { item.say(words.lost); }
      });
      await finish(done.upload, item);
    } catch (error) { item.say(error.message); }
    running -= 1;
  });

  async function finish(id, item) {
    var said = sending.notes.find(id);
    if (!said) { item.set(1, words.done); return; }
    var programme = await sending.call("POST", "/programmes", Object.assign({ upload: id }, said));
    sending.notes.drop(id);
    item.set(1, words.done);
    var link = text("a", "btn btn-sm", words.open);
    link.href = tray.dataset.programme.replace("ID", programme.id);
    item.row.append(link);
  }

  window.addEventListener("beforeunload", function (event) { if (running) event.preventDefault(); });
  tray.querySelector("button.btn-close").addEventListener("click", function () { tray.hidden = true; });
  sending.call("GET", "/uploads").then(function (found) {
    found.items.forEach(function (upload) { list.append(line(upload)); });
    tray.hidden = !found.items.length;
  }, function () { /* signed out, or the server is away: nothing to show */ });
})();
