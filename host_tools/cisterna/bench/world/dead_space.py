"""The dead space: plugs of fluid in the line between pump and tip, pushed along without mixing."""


class DeadSpace:
    """`plugs`, from tip to pump: [uL, fluid]; a fluid is (drug, ug per uL). At first full of air.

    `catheter`: the plugs beyond the connector while the line is off
    """

    def __init__(self, ul):
        self.plugs = [[ul, ("air", 0.0)]]
        self.catheter = []
        self.outside = ("csf", 0.0)

    def take_off(self, catheter_ul):
        """The line leaves the catheter, which keeps its `catheter_ul`; less than the dead space."""
        if self.catheter:
            return
        left_ul = catheter_ul
        while left_ul > 0:
            plug = self.plugs[0]
            part_ul = min(left_ul, plug[0])
            self.catheter.append([part_ul, plug[1]])
            plug[0] -= part_ul
            left_ul -= part_ul
            if plug[0] <= 0:
                self.plugs.pop(0)

    def join(self):
        """The line is on the catheter again."""
        self.plugs = self.catheter + self.plugs
        self.catheter = []

    def push(self, ul, fluid):
        """`ul` leave at the tip, and as much `fluid` enters from the pump. Negative: backwards.

        Returns the ug that left at the tip. Fluid that runs back into the syringe takes on the syringe's fluid.
        """
        plugs = self.plugs
        head = plugs[0]
        if head[1] is fluid and ul > 0 and len(plugs) == 1:
            return ul * fluid[1]
        if ul < 0:
            self._add(0, -ul, self.outside)
            self._remove(-1, -ul)
            return 0.0
        self._add(-1, ul, fluid)
        return self._remove(0, ul)

    def _add(self, end, ul, fluid):
        plug = self.plugs[end]
        if plug[1] == fluid:
            plug[0] += ul
        elif end:
            self.plugs.append([ul, fluid])
        else:
            self.plugs.insert(0, [ul, fluid])

    def _remove(self, end, ul):
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
