/* 今日要办: what to see to today, the most pressing first; OK opens the page where it is done. And the line under the
   header: who is signed in, and the first thing to do. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    todo: '今日要办', todo_none: '今天没有要办的事', todo_some: '{0} 件：{1}', todo_more: '今日要办 {0} 件：{1}', keys_todo: '▲ ▼ 选择　　OK 去办　　返回 站务', todo_good: '都好，没有要办的事', todo_good_how: '有要办的事会自动排在这里。',
    todo_clock: '还没跟省里对上时间：接上网等几分钟', todo_study_missing: '{1} 集中学习的节目还有 {0} 个没下载完', todo_study_tonight: '{1} 集中学习，节目都已存好', todo_refused: '{0} 个内容没通过核对，已拒绝播出：告诉县里',
    todo_disk_short: '硬盘放不下要播的节目：请技术员换大硬盘', todo_disk_full: '硬盘快满了：请技术员换大硬盘', todo_not_heard: '好久没收到省里的消息：请看网线插好没有', todo_missing: '未来一天的节目还有 {0} 个没下载完，会自动下载',
    todo_heads: '{2} 的集中学习没有点名：请补上人数', todo_behind: '本月有 {0} 次学习没有办：改期、补办或补记', todo_unsent: '记录 {0} 天没报上去：请看网络', todo_feedback: '本月的信息反馈还没填',
    todo_selftest: '该做一次自检了', todo_check: '上月的收看记录还有 {0} 条没核对', todo_nobody: '还没有设管理员：先设 A 岗的密码', todo_no_b: '还没有 B 岗管理员：请添加'
  }, {
    todo: 'To do today', todo_none: 'Nothing to do today', todo_some: '{0}: {1}', todo_more: 'To do today ({0}): {1}', keys_todo: '▲ ▼ choose    OK go there    Back to the desk', todo_good: 'All is well: nothing to do', todo_good_how: 'What is to be done appears here by itself.',
    todo_clock: 'The clock is not set: connect the network and wait some minutes', todo_study_missing: 'Study at {1}: programmes not here yet: {0}', todo_study_tonight: 'Study at {1}; its programmes are here', todo_refused: 'Items refused: {0}; tell the county',
    todo_disk_short: 'What is to air does not fit: a larger disk is needed', todo_disk_full: 'The disk is nearly full: a larger one is needed', todo_not_heard: 'Nothing heard from the province for long: look at the cable', todo_missing: 'Programmes of the next day still coming: {0}',
    todo_heads: 'Nobody was counted in the session of {2}: enter the heads', todo_behind: 'Study days missed this month: {0}', todo_unsent: 'Days since records were last sent: {0}; look at the network', todo_feedback: 'Feedback of this month is not given yet',
    todo_selftest: 'A self-test is due', todo_check: 'Entries of last month not checked yet: {0}', todo_nobody: 'No administrator yet: set the PIN of A', todo_no_b: 'No administrator B yet: add one'
  });

  function words(one) {
    var at = one.at_ms === null ? '' : TV.hhmm(one.at_ms), day = one.at_ms === null ? '' : TV.dateText(one.at_ms);
    return TV.say('todo_' + one.what, one.n, at, day);
  }
  Desk.add({
    name: 'todo', order: 10, title: 'todo', load: '/api/desk/todo', footer: 'keys_todo',
    about: function (told) { return !told || !told.first ? TV.say('todo_none') : told.todo ? TV.say('todo_some', told.todo, words(told.first)) : words(told.first); },
    icon: 'M4 6l1.6 1.6L8.5 4.5M4 13l1.6 1.6 2.9-3.1M4 20l1.6 1.6 2.9-3.1M12 6h8M12 13h8M12 20h8',
    draw: function (main, told, acts) {
      if (!told) { return []; }
      if (!told.todo.length) { main.appendChild(el('div', 'todo-none', null, el('p', 'desk-verdict good', '✓ ' + TV.say('todo_good')), el('p', 'desk-hint', TV.say('todo_good_how')))); return []; }
      var list = el('div', 'scroll');
      var out = told.todo.map(function (one, index) {
        var made = stop('todo-' + one.what, 'todo' + (one.good ? ' good' : ''), function () { acts.desk(one.page); },
          [el('b', 'todo-sign', one.good ? '✓' : String(index + 1)), el('span', '', words(one)), el('em', '', '›')]);
        list.appendChild(made);
        return [made];
      });
      main.appendChild(el('div', 'scroll-window under-title', null, list));
      return out;
    }
  });

  var line = null, was = '';
  Desk.paint = function (state, where) {
    var told = state && state.desk, show = where === 'menu' && told && /^(home|desk)/.test(Views.view);
    Desk.signed(told);
    var name = show ? Desk.name() : '', text = show && told.todo && Views.view === 'home' ? TV.say('todo_more', told.todo, words(told.first)) : '';
    if (name + '|' + text === was) { return; }
    was = name + '|' + text;
    if (!line) { line = el('div'); line.id = 'who-line'; Views.byId('shell').appendChild(line); }
    line.textContent = '';
    if (name) { line.appendChild(el('b', '', name)); }
    line.appendChild(el('span', '', text));
  };
}());
