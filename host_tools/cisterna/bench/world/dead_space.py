"""What fills the line between pump and tip: plugs of fluid, pushed along."""


class DeadSpace:
    """`plugs` from tip to pump, each [uL, fluid]; a fluid is (drug, ug per uL). Begins full of air."""

    def __init__(self, ul):
        self.plugs = [[ul, ("air", 0.0)]]
        self.outside = ("csf", 0.0)

    def push(self, ul, fluid):
        """`ul` leave at the tip and as much `fluid` follows from the pump. Negative: backwards. Returns ug
        that left.

        What runs back into the syringe is not mixed with what is there.
        """
        plugs = self.plugs
        head = plugs[0]
        if head[1] is fluid and ul > 0 and len(plugs) == 1:
            return ul * fluid[1]
        if ul < 0:
            self._join(0, -ul, self.outside)
            self._take(-1, -ul)
            return 0.0
        self._join(-1, ul, fluid)
        return self._take(0, ul)

    def _join(self, end, ul, fluid):
        plug = self.plugs[end]
        if plug[1] == fluid:
            plug[0] += ul
        elif end:
            self.plugs.append([ul, fluid])
        else:
            self.plugs.insert(0, [ul, fluid])

    def _take(self, end, ul):
        plugs = self.plugs
        ug = 0.0
        while ul >= plugs[end][0] and len(plugs) > 1:
            plug = plugs.pop(end)
            ug += plug[0] * plug[1][1]
            ul -= plug[0]
        plugs[end][0] -= ul
        return ug + ul * plugs[end][1][1]

    def save(self):
        return [[plug[0], plug[1]] for plug in self.plugs]

    def restore(self, saved):
        self.plugs = saved
