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
