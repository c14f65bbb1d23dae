-- 0010 down: nothing to undo, as nothing was changed.
-- locks: none

select null;
