"""Guards the dose variables in RAM: a flipped bit is found before it can change a dose [WDG-06, WDG-07].

While the pump sleeps nothing may change a dose variable: the loop calls `is_whole` first of all at each wake-up, and
`seal` last. Lists of numbers have a copy. Other variables are folded by their owner into one int, its check word: the
exclusive-or of all of them, so that any single flipped bit changes it; the guard keeps the complement of all words.
What is damaged is not mended in RAM: the pump restarts from FRAM, which has every dose variable as it was written
ahead.

Lists and quick words are what the next grant is computed from: all of them are checked before each grant. Steady words
are of what only an event can make use of: half of them are checked at each wake-up (at most 5 s apart), and all of them
before a contact or a request is acted on.

No allocation: a method that folds has few locals, since MicroPython puts a large frame on the heap. On the RP2040 a
number of a list costs 0.8 us, a number that is folded 3 us, a word 12 us.
"""


class _Key:
    def __getitem__(self, key):
        return key


_WHOLE = _Key()[:]  # a slice that is made once


class DoseGuard:
    """quick_lists, quick_words: change in the delivery tick. steady_lists, steady_words: change at events only.

    A list is changed in place and keeps its length. A word is a function that folds; `steady_words` are two halves.
    """

    def __init__(self, quick_lists, quick_words, steady_lists, steady_words):
        self._quick_lists, self._steady_lists = quick_lists, steady_lists
        self._quick_copies = tuple([list(numbers) for numbers in quick_lists])
        self._steady_copies = tuple([list(numbers) for numbers in steady_lists])
        self._quick_words, self._steady_words = quick_words, steady_words
        self._quick_complement = 0
        self._steady_complements = [0, 0]
        self._half = 0  # of the steady words, that is checked next
        self._is_sealed = False

    def is_whole(self, everything):
        """False if a variable has changed since `seal`. `everything`: all steady words are checked, not half."""
        if not self._is_sealed:
            return True
        if self._quick_lists != self._quick_copies or self._steady_lists != self._steady_copies:
            return False
        if _fold(self._quick_words) ^ self._quick_complement != -1:
            return False
        self._half ^= 1
        return self._is_half_whole(self._half) and (not everything or self._is_half_whole(self._half ^ 1))

    def _is_half_whole(self, half):
        return _fold(self._steady_words[half]) ^ self._steady_complements[half] == -1

    def seal(self, everything):
        """The variables as they are now are right. `everything`: not only those that change in the delivery tick."""
        _copy(self._quick_lists, self._quick_copies)
        self._quick_complement = ~_fold(self._quick_words)
        if everything or not self._is_sealed:
            _copy(self._steady_lists, self._steady_copies)
            for half in (0, 1):
                self._steady_complements[half] = ~_fold(self._steady_words[half])
        self._is_sealed = True


def _fold(words):
    word = 0
    for check_word in words:
        word ^= check_word()
    return word


def _copy(lists, copies):
    k = 0
    for numbers in lists:
        copies[k][_WHOLE] = numbers
        k += 1
