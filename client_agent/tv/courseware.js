/* 课件: the film small, its page large, the list of pages (三分屏), or the page alone over the whole screen.

   Pages that belong to a moment of the film come by themselves; ◀ ▶ turn them by hand, and the next moment of the film
   takes over again. ▲ takes the film to the page's moment, ▼ is the whole page and back. On the channel's line, whose
   keys are the channel's, pages only come by themselves. */
(function () {
  'use strict';
  var Views = TV.Views, Screen = TV.Screen, byId = Views.byId, setText = Views.setText, show = Views.show, el = Views.el;
  TV.words({
    page_number: '第 {0} / {1} 页', page_missing: '这一页还没下载到本站', page_missing_how: '影片照常播放；联网后会自动下载，下次就能看到',
    page_untitled: '第 {0} 页', keys_course: '◀ ▶ 翻页　　▲ 影片跳到这一页　　▼ 整页　　OK 暂停　　返回', keys_course_full: '◀ ▶ 翻页　　▼ 分屏　　OK 暂停　　返回',
    keys_course_study: '◀ ▶ 翻页　　▼ 整页　　OK 暂停　　最后一页按 ▶ 进入讨论　　返回 结束学习', page_last: '再按一次 ▶，进入讨论', page_paused: '暂停'
  }, {
    page_number: 'Page {0} of {1}', page_missing: 'This page is not here yet', page_missing_how: 'The film plays on; the page comes by itself once there is a connection',
    page_untitled: 'Page {0}', keys_course: '◀ ▶ turn      ▲ film to this page      ▼ whole page      OK pause      Back', keys_course_full: '◀ ▶ turn      ▼ both      OK pause      Back',
    keys_course_study: '◀ ▶ turn      ▼ whole page      OK pause      ▶ on the last page: discussion      Back: end', page_last: 'Press ▶ again for the discussion', page_paused: 'Paused'
  });
  var LISTED = 8, ASK_AGAIN_MS = 4000;
  var course = null;   /* {show, pages, index, come, full, askedAt, broken} */
  var Course = TV.Courseware = {};

  /* The page whose moment the film has reached last; the first before any. -1: no page has a moment. */
  Course.pageAt = function (pages, ms) {
    var found = -1, any = false;
    pages.forEach(function (page, index) {
      if (page.at_ms === null) { return; }
      any = true;
      if (page.at_ms <= ms) { found = index; }
    });
    return any ? Math.max(0, found) : -1;
  };

  /* Whose pages stand on the screen, or null. */
  Course.active = function (where) {
    var what = Screen.shown(), open = where === 'watch' || where === 'chosen' || where === 'study';
    return open && what && what.pages && what.pages.length && what.source !== 'emergency' ? what : null;
  };

  Course.key = function (where, key, repeat, done) {
    if (!Course.active(where) || where === 'watch' || !course) { return false; }
    var last = course.index === course.pages.length - 1;
    if (key === 'left') { turn(-1); } else if (key === 'right') {
      if (!last) { turn(1); } else if (where === 'study' && !repeat) { over(done); }
    } else if (key === 'down') { if (!repeat) { course.full = !course.full; } }
    else if (key === 'up') {
      var page = course.pages[course.index];
      if (page.at_ms !== null && !repeat && !course.full) { Screen.seek(page.at_ms); course.come = course.index; }
    } else { return false; }
    paint(where);
    return true;
  };
  function turn(step) { course.index = Math.max(0, Math.min(course.pages.length - 1, course.index + step)); }
  /* In a study session the last page leads to the discussion, when ▶ is pressed twice. */
  function over(done) {
    if (TV.perf() - course.askedAt < ASK_AGAIN_MS) { done.over(); } else { course.askedAt = TV.perf(); done.toast(TV.say('page_last')); }
  }

  function begin(what) { course = { show: what, pages: what.pages, index: 0, come: -1, full: false, askedAt: -Infinity, broken: {} }; drawn = ''; }
  var drawn = '';

  Course.paint = function (where) { paint(where); };
  function paint(where) {
    var what = Course.active(where), root = document.documentElement;
    if (!what) { if (where !== 'menu') { course = null; } }
    else if (!course || course.show !== what) { begin(what); }
    show('course', !!what);
    root.classList.toggle('course-both', !!what && !course.full);
    root.classList.toggle('course-full', !!what && course.full);
    if (!what) { return; }
    var come = Course.pageAt(course.pages, Screen.position());
    if (come >= 0 && come !== course.come) { course.come = course.index = come; }
    setText('course-number', TV.say('page_number', course.index + 1, course.pages.length));
    setText('course-time', (Screen.playing() ? '' : TV.say('page_paused') + '　') + TV.span(Screen.position()) + ' / ' + TV.span(what.media_ms));
    setText('course-keys', where === 'watch' ? '' : TV.say(course.full ? 'keys_course_full' : where === 'study' ? 'keys_course_study' : 'keys_course'));
    var wanted = [what.key, course.index, course.full, TV.lang, !!course.broken[course.index]].join();
    if (drawn === wanted) { return; }
    drawn = wanted;
    draw(what);
  }
  function draw(what) {
    var page = course.pages[course.index], image = byId('course-image'), here = page.url && !course.broken[course.index];
    setText('course-title', what.title);
    if (here) { if (image.getAttribute('src') !== page.url) { image.setAttribute('src', page.url); } } else { image.removeAttribute('src'); }
    image.classList.toggle('shown', !!here);
    show('course-missing', !here);
    setText('course-missing-what', TV.say('page_missing'));
    setText('course-missing-how', TV.say('page_missing_how'));
    var following = course.pages[course.index + 1];
    if (following && following.url) { (new window.Image()).src = following.url; }
    var list = byId('course-list'), first = Math.max(0, Math.min(course.index - 2, course.pages.length - LISTED));
    list.textContent = '';
    course.pages.slice(first, first + LISTED).forEach(function (one, at) {
      var index = first + at, line = el('div', 'course-line' + (index === course.index ? ' current' : '') + (one.url ? '' : ' missing'), null,
        el('b', '', String(index + 1)), el('span', '', one.title || TV.say('page_untitled', index + 1)));
      if (one.at_ms !== null) { line.appendChild(el('i', '', TV.span(one.at_ms))); }
      list.appendChild(line);
    });
  }
  byId('course-image').addEventListener('error', function () {
    if (course && this.getAttribute('src')) { course.broken[course.index] = true; }
  });
}());
