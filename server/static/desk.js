// The review desk: plays as cut, reports what was really shown, remarks at a time code, keys.
(function () {
  "use strict";
  var desk = document.getElementById("desk");
  if (!desk) return;
  var words = JSON.parse(desk.dataset.words);
  var kept = JSON.parse(desk.dataset.kept);
  var seen = JSON.parse(desk.dataset.watched);
  var player = document.getElementById("player");
  var REPORT_EVERY_MS = 10000;
  function get(id) { return document.getElementById(id); }

  function timecode(ms) {
    var tenths = Math.floor(ms / 100);
    var hours = Math.floor(tenths / 36000);
    var minutes = Math.floor(tenths / 600) % 60;
    var seconds = Math.floor(tenths / 10) % 60;
    var tail = (seconds < 10 ? "0" : "") + seconds + "." + (tenths % 10);
    return hours ? hours + ":" + (minutes < 10 ? "0" : "") + minutes + ":" + tail : minutes + ":" + tail;
  }

  function send(method, path, body) {
    return fetch("/api/v1" + path, {
      method: method,
      headers: { "Content-Type": "application/json", "X-CSRFToken": window.yuanbo.csrf(), "Accept-Language": document.documentElement.lang },
      body: JSON.stringify(body),
      keepalive: true
    }).then(function (response) {
      return response.json().then(function (answer) {
        if (!response.ok) throw new Error(answer.detail || answer.title);
        return answer;
      });
    });
  }

  // --- playing ---
  function now() { return player ? Math.round(player.currentTime * 1000) : 0; }

  function skipRemoved() {
    var asCut = get("as-cut");
    if (!asCut || !asCut.checked || !kept.length || desk.dataset.whole !== "1") return;
    var at = now();
    for (var i = 0; i < kept.length; i += 1) {
      if (at < kept[i][0]) { player.currentTime = kept[i][0] / 1000; return; }
      if (at < kept[i][1]) return;
    }
    if (!player.paused) player.pause();
  }

  function drawStrip() {
    var strip = get("strip");
    if (!strip || !player || !player.duration) return;
    var whole = player.duration * 1000;
    strip.textContent = "";
    function mark(name, from, to, title) {
      var bit = document.createElement("i");
      bit.className = name;
      bit.style.left = (from / whole) * 100 + "%";
      bit.style.width = Math.max(0.2, ((to - from) / whole) * 100) + "%";
      if (title) bit.title = title;
      strip.appendChild(bit);
    }
    seen.concat(playedSpans()).forEach(function (span) { mark("is-seen", span[0], span[1]); });
    if (desk.dataset.whole === "1" && kept.length) {
      var at = 0;
      kept.forEach(function (span) { if (span[0] > at) mark("is-removed", at, span[0]); at = span[1]; });
      if (at < whole) mark("is-removed", at, whole);
    }
    document.querySelectorAll("[data-at]").forEach(function (row) {
      if (row.dataset.at !== "") mark("is-remark", Number(row.dataset.at), Number(row.dataset.at) + whole / 300);
    });
  }

  function playedSpans() {
    var spans = [];
    for (var i = 0; player && i < player.played.length; i += 1) {
      spans.push([Math.round(player.played.start(i) * 1000), Math.round(player.played.end(i) * 1000)]);
    }
    return spans;
  }

  var reported = "";
  function report() {
    var spans = playedSpans();
    var text = JSON.stringify(spans);
    if (!spans.length || text === reported) return;
    send("POST", "/editions/" + desk.dataset.edition + "/watched", { spans: spans }).then(function (answer) {
      reported = text;
      get("share").textContent = Math.round(answer.watched * 100);
    }, function () { /* told again with the next report */ });
  }

  if (player) {
    player.addEventListener("timeupdate", function () {
      skipRemoved();
      get("clock").textContent = timecode(now());
      if (get("comment-at")) get("comment-at").textContent = timecode(now());
      drawStrip();
    });
    player.addEventListener("loadedmetadata", drawStrip);
    player.addEventListener("pause", report);
    player.addEventListener("ended", report);
    document.addEventListener("visibilitychange", report);
    window.addEventListener("pagehide", report);
    setInterval(function () { if (!player.paused) report(); }, REPORT_EVERY_MS);
    get("speed").addEventListener("change", function (event) { player.playbackRate = Number(event.target.value); });
    get("strip").addEventListener("click", function (event) {
      var box = event.currentTarget.getBoundingClientRect();
      player.currentTime = ((event.clientX - box.left) / box.width) * player.duration;
    });
  }

  function goTo(ms) {
    if (!player) return;
    player.currentTime = ms / 1000;
    player.pause();
    player.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", function (event) {
    var at = event.target.closest(".yb-at");
    var row = event.target.closest("li[data-at]");
    if (at && row && row.dataset.at !== "") goTo(Number(row.dataset.at));
    var solve = event.target.closest(".yb-solve");
    if (solve) {
      var solved = !row.classList.contains("is-solved");
      send("POST", "/comments/" + row.dataset.id + "/resolve", { resolved: solved }).then(function () {
        row.classList.toggle("is-solved", solved);
        solve.textContent = solved ? words.open : words.solve;
      }, function () { solve.textContent = words.failed; });
    }
  });

  // --- remarks ---
  function row(one) {
    var item = document.createElement("li");
    item.dataset.id = one.id;
    item.dataset.at = one.at_ms === null ? "" : one.at_ms;
    var at = document.createElement(one.at_ms === null ? "span" : "button");
    at.className = "yb-at yb-num";
    at.textContent = one.at_ms === null ? words.whole : timecode(one.at_ms);
    var body = document.createElement("div");
    var text = document.createElement("p");
    text.textContent = one.text;
    var by = document.createElement("small");
    by.textContent = one.author;
    body.append(text, by);
    var solve = document.createElement("button");
    solve.type = "button";
    solve.className = "btn btn-sm yb-solve";
    solve.textContent = words.solve;
    item.append(at, body, solve);
    return item;
  }

  var form = get("comment-form");
  if (form) {
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var text = get("comment-text").value.trim();
      if (!text) return;
      var at = player && get("comment-here").checked ? now() : null;
      send("POST", "/editions/" + desk.dataset.edition + "/comments", { text: text, at_ms: at }).then(function (made) {
        get("comment-text").value = "";
        get("comment-failed").hidden = true;
        var list = get("comments");
        var later = Array.prototype.find.call(list.children, function (other) {
          return made.at_ms !== null && (other.dataset.at === "" || Number(other.dataset.at) > made.at_ms);
        });
        list.insertBefore(row(made), later || null);
        get("comment-count").textContent = list.children.length;
        if (get("no-comments")) get("no-comments").hidden = true;
        drawStrip();
      }, function (error) {
        get("comment-failed").textContent = error.message || words.failed;
        get("comment-failed").hidden = false;
      });
    });
  }

  // --- deciding: an approval only with every required item ticked ---
  var decide = get("decide");
  if (decide) {
    decide.addEventListener("submit", function (event) {
      var missing = event.submitter && event.submitter.value === "approve" &&
        decide.querySelector("[data-required]:not(:checked)");
      if (missing) {
        event.preventDefault();
        get("decide-missing").hidden = false;
        missing.focus();
      } else if (event.submitter && event.submitter.value === "return" && !get("why").value.trim()) {
        event.preventDefault();
        get("why").focus();
      } else {
        report();
      }
    });
  }

  // --- keys ---
  var KEYS = {
    " ": function () { if (player) { if (player.paused) player.play(); else player.pause(); } },
    arrowleft: function () { if (player) player.currentTime -= 5; },
    arrowright: function () { if (player) player.currentTime += 5; },
    j: function () { if (get("after")) get("after").click(); },
    k: function () { if (get("before")) get("before").click(); },
    c: function () { if (player) player.pause(); if (get("comment-text")) get("comment-text").focus(); },
    a: function () { if (decide) { (decide.querySelector("[data-required]:not(:checked)") || get("code") || get("approve")).focus(); } },
    r: function () { if (decide) get("why").focus(); }
  };
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { if (document.activeElement) document.activeElement.blur(); return; }
    if (event.target.closest("input, textarea, select, button, summary, a, video") && event.key === " ") return;
    if (event.target.closest("textarea, select, input:not([type=checkbox])")) return;
    var act = KEYS[event.key.toLowerCase()];
    if (act) { event.preventDefault(); act(); }
  });
})();
