// Plays a programme's HLS renditions; where HLS cannot play, the smallest rendition as a plain file.
(function () {
  "use strict";
  var video = document.querySelector("video[data-file]");
  if (!video) return;
  document.querySelectorAll("[data-seek-ms]").forEach(function (button) {
    button.addEventListener("click", function () {
      video.currentTime = Number(button.dataset.seekMs) / 1000;
      video.play();
    });
  });
  var playlists = JSON.parse(video.dataset.playlists || "[]");

  function plain() {
    video.src = video.dataset.file;
  }

  if (!playlists.length || !window.Hls || !window.Hls.isSupported()) {
    plain();
    return;
  }
  var origin = new URL(video.dataset.file).origin;
  var hls = new window.Hls({ maxBufferLength: 20, enableWorker: false });
  hls.on(window.Hls.Events.ERROR, function (_event, data) {
    if (data.fatal) {
      hls.destroy();
      plain();
    }
  });
  hls.loadSource(origin + playlists[0]);
  hls.attachMedia(video);
})();

// The storyboard: a line under the picture; moving along it shows what is there, a click goes there.
(function () {
  "use strict";
  var board = document.querySelector("[data-board]");
  var video = document.querySelector("video[data-file]");
  if (!board || !video) return;
  var tile = board.querySelector(".yb-storyboard-tile");
  var base = board.dataset.board.replace(/[^/]*$/, "");
  var cues = [];

  function seconds(text) {
    return text.split(":").reduce(function (sum, part) { return sum * 60 + parseFloat(part); }, 0);
  }

  function read(text) {
    var cue = /([\d:.]+) --> ([\d:.]+)[^\n]*\n([0-9a-f]{64})#xywh=(\d+),(\d+),(\d+),(\d+)/g;
    var found;
    while ((found = cue.exec(text)) !== null) {
      cues.push({ from: seconds(found[1]), until: seconds(found[2]), sheet: found[3], at: found.slice(4, 8).map(Number) });
    }
  }

  function when(event) {
    var box = board.getBoundingClientRect();
    var share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return { share: share, time: share * (cues.length ? cues[cues.length - 1].until : 0), width: box.width };
  }

  board.addEventListener("pointermove", function (event) {
    var place = when(event);
    var cue = cues.find(function (one) { return place.time < one.until; }) || cues[cues.length - 1];
    if (!cue) return;
    tile.hidden = false;
    tile.style.width = cue.at[2] + "px";
    tile.style.height = cue.at[3] + "px";
    tile.style.left = Math.min(place.width - cue.at[2], Math.max(0, place.share * place.width - cue.at[2] / 2)) + "px";
    tile.style.backgroundImage = "url(" + base + cue.sheet + ")";
    tile.style.backgroundPosition = "-" + cue.at[0] + "px -" + cue.at[1] + "px";
  });
  board.addEventListener("pointerleave", function () { tile.hidden = true; });
  board.addEventListener("click", function (event) { if (cues.length) video.currentTime = when(event).time; });
  fetch(board.dataset.board).then(function (answer) { return answer.text(); }).then(read, function () { board.hidden = true; });
})();
