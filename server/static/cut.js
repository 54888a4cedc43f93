// The cutting table: a recipe of milliseconds over the untouched source, on the 25 fps grid.
(function () {
  "use strict";
  var place = document.getElementById("cut");
  if (!place) return;
  var words = JSON.parse(place.dataset.words);
  var recipe = JSON.parse(place.dataset.recipe);
  var length = Number(place.dataset.length);
  var player = document.getElementById("player");
  var FRAME_MS = 40;
  var begun = null;
  var state = { in_ms: recipe.in_ms || 0, out_ms: recipe.out_ms === undefined ? null : recipe.out_ms, removed: (recipe.removed || []).slice() };
  function get(id) { return document.getElementById(id); }
  function now() { return Math.min(length, Math.round((player.currentTime * 1000) / FRAME_MS) * FRAME_MS); }
  function outMs() { return state.out_ms === null ? length : state.out_ms; }

  function timecode(ms) {
    var tenths = Math.floor(ms / 100);
    var seconds = Math.floor(tenths / 10) % 60;
    return Math.floor(tenths / 600) + ":" + (seconds < 10 ? "0" : "") + seconds + "." + (tenths % 10);
  }

  function removed() {
    return state.removed
      .map(function (span) { return [Math.max(span[0], state.in_ms), Math.min(span[1], outMs())]; })
      .filter(function (span) { return span[1] > span[0]; })
      .sort(function (a, b) { return a[0] - b[0]; })
      .reduce(function (all, span) {
        var last = all[all.length - 1];
        if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
        else all.push(span.slice());
        return all;
      }, []);
  }

  // Stretches that touch the in or the out point only move it; what is sent has gaps between all of its parts.
  function settled() {
    var begin = state.in_ms, end = outMs();
    var spans = removed();
    if (spans.length && spans[0][0] === begin) begin = spans.shift()[1];
    if (spans.length && spans[spans.length - 1][1] === end) end = spans.pop()[0];
    return { begin: begin, end: end, spans: spans };
  }

  function draw() {
    var cut = settled();
    get("in").textContent = timecode(state.in_ms);
    get("out").textContent = timecode(outMs());
    get("begin-at").textContent = begun === null ? "" : timecode(begun);
    get("end").disabled = begun === null;
    var kept = cut.end - cut.begin - cut.spans.reduce(function (sum, span) { return sum + span[1] - span[0]; }, 0);
    get("after-cut").textContent = timecode(Math.max(0, kept));
    var list = get("removed");
    list.textContent = "";
    removed().forEach(function (span) {
      var item = document.createElement("li");
      var at = document.createElement("button");
      at.type = "button";
      at.className = "yb-at yb-num";
      at.textContent = timecode(span[0]) + " – " + timecode(span[1]);
      at.addEventListener("click", function () { player.currentTime = span[0] / 1000; });
      var undo = document.createElement("button");
      undo.type = "button";
      undo.className = "btn btn-sm ms-auto";
      undo.textContent = words.undo;
      undo.addEventListener("click", function () {
        state.removed = state.removed.filter(function (one) { return one[1] <= span[0] || one[0] >= span[1]; });
        draw();
      });
      item.append(at, undo);
      list.appendChild(item);
    });
    var strip = get("strip");
    strip.textContent = "";
    [[0, state.in_ms]].concat(removed(), [[outMs(), length]]).forEach(function (span) {
      var bit = document.createElement("i");
      bit.className = "is-removed";
      bit.style.left = (span[0] / length) * 100 + "%";
      bit.style.width = ((span[1] - span[0]) / length) * 100 + "%";
      strip.appendChild(bit);
    });
  }

  function fail(text) {
    get("cut-failed").textContent = text;
    get("cut-failed").hidden = !text;
  }

  function setIn() { if (now() >= outMs()) { fail(words.order); return; } fail(""); state.in_ms = now(); draw(); }
  function setOut() { if (now() <= state.in_ms) { fail(words.order); return; } fail(""); state.out_ms = now() >= length ? null : now(); draw(); }

  get("set-in").addEventListener("click", setIn);
  get("set-out").addEventListener("click", setOut);
  get("begin").addEventListener("click", function () { begun = now(); draw(); });
  get("end").addEventListener("click", function () {
    if (now() <= begun) { fail(words.order); return; }
    fail("");
    state.removed.push([begun, now()]);
    begun = null;
    draw();
  });
  get("whole").addEventListener("click", function () {
    state = { in_ms: 0, out_ms: null, removed: [] };
    get("intro").value = "";
    get("outro").value = "";
    begun = null;
    draw();
  });
  document.querySelectorAll("[data-step]").forEach(function (button) {
    button.addEventListener("click", function () { player.pause(); player.currentTime = (now() + Number(button.dataset.step)) / 1000; });
  });
  player.addEventListener("timeupdate", function () { get("clock").textContent = timecode(now()); });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    var key = event.key.toLowerCase();
    if (key === "i") setIn();
    else if (key === "o") setOut();
    else return;
    event.preventDefault();
  });

  get("save").addEventListener("click", function () {
    var cut = settled();
    var body = {};
    if (cut.begin) body.in_ms = cut.begin;
    if (cut.end < length) body.out_ms = cut.end;
    if (cut.spans.length) body.removed = cut.spans;
    ["intro", "outro"].forEach(function (name) { if (get(name).value) body[name] = get(name).value; });
    var isNew = place.dataset.new === "1";
    var path = isNew ? "/programmes/" + place.dataset.programme + "/editions" : "/editions/" + place.dataset.edition + "/recipe";
    var sent = isNew ? { recipe: body, reason: get("reason").value } : body;
    get("save").disabled = true;
    fetch("/api/v1" + path, {
      method: isNew ? "POST" : "PUT",
      headers: { "Content-Type": "application/json", "X-CSRFToken": window.yuanbo.csrf(), "Accept-Language": document.documentElement.lang },
      body: JSON.stringify(sent)
    }).then(function (response) {
      return response.json().then(function (answer) {
        if (!response.ok) throw new Error(answer.detail || answer.title);
        window.location.href = place.dataset.done.replace("ID", answer.id);
      });
    }).catch(function (error) {
      get("save").disabled = false;
      fail(error.message || words.failed);
    });
  });
  draw();
})();
