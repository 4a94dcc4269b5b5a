;;; emacs.el --- Edits .aurora files in a real Emacs -*- lexical-binding: t -*-

;; INIT names the set-up, taken from docs/editors.md, CLIENT is eglot or lsp-mode, FOLDER is empty:
;;
;;     INIT=init.el CLIENT=eglot FOLDER=/empty/folder emacs --batch -q -l emacs.el
;;
;; Emacs ends with 0 if all was as it should be, or else says what was not.

(setq debug-on-error nil
      user-emacs-directory (file-name-as-directory (expand-file-name ".emacs.d" (getenv "FOLDER")))
      make-backup-files nil
      auto-save-default nil
      create-lockfiles nil
      lsp-auto-guess-root t
      lsp-enable-file-watchers nil
      lsp-enable-snippet nil
      lsp-session-file (expand-file-name "session" user-emacs-directory))
(make-directory user-emacs-directory t)

(defconst test-patience 30 "Seconds that what is waited for may take on a busy machine.")

(defconst test-text "include(\"common.aurora\")

hello = Process(name=\"hello\", cmdline=\"echo {{mesos.instance}}\")

jobs = [
  Service(
    cluster=\"devcluster\",
    role=\"www-data\",
    environment=\"prod\",
    name=\"hello\",
    task=Task(processes=[hello], resources=small),
  ),
]
")

;; Eglot asks whether files may be changed that no buffer holds: the person says yes.
(advice-add 'y-or-n-p :override (lambda (&rest _) t))

(defun test-fail (format &rest args)
  (error "%s\n%s" (apply #'format format args) (buffer-string)))

(defmacro test-wait (what &rest body)
  "Wait until BODY holds; fail with WHAT if it never does."
  `(let ((deadline (+ (float-time) test-patience)) found)
     (while (not (setq found (progn ,@body)))
       (when (> (float-time) deadline) (test-fail "waited in vain: %s" ,what))
       (accept-process-output nil 0.02))
     found))

(defun test-go (text &optional plus)
  (goto-char (point-min))
  (unless (search-forward text nil t) (test-fail "there is no %s" text))
  (goto-char (+ (match-beginning 0) (or plus 0))))

(defun test-problems ()
  (seq-filter (lambda (it) (eq (flymake-diagnostic-type it) (if (test-is-eglot) 'eglot-error :error)))
              (flymake-diagnostics)))

(defun test-is-eglot () (equal (getenv "CLIENT") "eglot"))

(defun test-call (eglot lsp &rest args)
  (apply (if (test-is-eglot) eglot lsp) args))

(defun test-type (text)
  "Type TEXT key by key."
  (seq-do (lambda (key) (setq last-command-event key) (self-insert-command 1)) text))

(defun test-completions ()
  "What may stand at the cursor."
  (let ((found (run-hook-wrapped 'completion-at-point-functions
                                 (lambda (it) (let ((found (funcall it))) (and (consp found) found))))))
    (and found
         (mapcar #'substring-no-properties
                 (all-completions (buffer-substring (nth 0 found) (point)) (nth 2 found))))))

(defun test-server ()
  "The process of the server."
  (seq-find (lambda (it) (equal (last (process-command it) 2) '("aurora" "lsp"))) (process-list)))

(defun test ()
  (let ((folder (file-name-as-directory (getenv "FOLDER"))))
    (write-region "small = Resources(cpu=0.1, ram=16*MB, disk=16*MB)\n" nil (concat folder "common.aurora"))
    (write-region test-text nil (concat folder "hello.aurora"))
    (write-region "" nil (concat folder "aurora.toml"))
    (setq default-directory folder)
    (find-file (concat folder "hello.aurora")))
  (unless (eq major-mode 'aurora-mode) (test-fail "the mode is %s" major-mode))
  ;; Without a window nobody is ever idle: what waits for that is called.
  (test-call (lambda () (unless (eglot-current-server) (apply #'eglot (eglot--guess-contact)))) #'lsp)
  (test-wait "the server"
    (test-call #'eglot-current-server
               (lambda () (seq-find (lambda (it) (eq (lsp--workspace-status it) 'initialized)) (lsp-workspaces)))))
  (flymake-mode 1)

  ;; Type a mistake, see it told; take it back, see it go.
  (goto-char (point-max))
  (test-type "wrong = Process(nme=\"x\", cmdline=\"true\")\n")
  (test-call #'eglot--signal-textDocument/didChange #'ignore)
  (test-wait "a problem where it is" (flymake-start)
    (seq-find (lambda (it)
                (and (string-match-p "nme" (flymake-diagnostic-text it))
                     (equal (buffer-substring (flymake-diagnostic-beg it) (flymake-diagnostic-end it)) "nme=\"x\"")))
              (test-problems)))
  (forward-line -1)
  (delete-region (point) (point-max))
  (test-call #'eglot--signal-textDocument/didChange #'ignore)
  (test-wait "no problem" (flymake-start) (null (test-problems)))

  ;; Complete: a field, and a name within a text.
  (test-type "extra = Process(cmd")
  (unless (seq-find (lambda (it) (string-prefix-p "cmdline" it)) (test-completions))
    (test-fail "completion: %S" (test-completions)))
  (delete-region (line-beginning-position) (point-max))
  (test-type "extra = Process(cmdline=\"{{mesos.")
  (unless (seq-find (lambda (it) (string-match-p "instance" it)) (test-completions))
    (test-fail "completion: %S" (test-completions)))
  (delete-region (line-beginning-position) (point-max))

  ;; Go to where a name comes from.
  (test-go "resources=small" (length "resources="))
  (let ((found (car (xref-backend-definitions (xref-find-backend) (xref-backend-identifier-at-point (xref-find-backend))))))
    (unless (string-suffix-p "common.aurora" (xref-location-group (xref-item-location found)))
      (test-fail "small comes from %S" found)))

  ;; Give a name another one, in both files.
  (test-go "resources=small" (length "resources="))
  ;; Eglot counts what it has not told yet as a change behind the answer.
  (test-call #'eglot--signal-textDocument/didChange #'ignore)
  (test-call #'eglot-rename #'lsp-rename "little")
  (test-go "resources=little")
  (with-current-buffer (find-file-noselect "common.aurora") (test-go "little = Resources"))

  ;; Lay the text out anew.
  (test-go "    cluster=")
  (delete-char 4)
  (test-call #'eglot-format-buffer #'lsp-format-buffer)
  (unless (equal (buffer-string) (string-replace "small" "little" test-text)) (test-fail "laid out otherwise"))

  (save-some-buffers t)
  (let ((server (test-server)))
    (unless server (test-fail "there is no server: %S" (mapcar #'process-command (process-list))))
    (test-call (lambda () (eglot-shutdown (eglot-current-server))) (lambda () (lsp-workspace-shutdown (car (lsp-workspaces)))))
    (test-wait "the server's end" (not (process-live-p server)))
    ;; Eglot does not wait for the end that it has asked for: it kills.
    (unless (memq (process-exit-status server) '(0 9)) (test-fail "the server ends with %s" (process-exit-status server)))))

;; As an Emacs that is not run in batches does by itself.
(package-activate-all)
(load (getenv "INIT") nil t)
(test)

;;; emacs.el ends here
