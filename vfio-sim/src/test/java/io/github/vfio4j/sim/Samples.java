package io.github.vfio4j.sim;

import java.util.List;
import java.util.Optional;

/** The sample drivers of the kernel that make mediated devices, with what they say of themselves. */
public final class Samples {
    /** Serial ports, 24 in all. */
    public static final MediatedParent MTTY = new MediatedParent(
            "mtty",
            "vfio-pci",
            24,
            List.of(
                    new MediatedParent.Type("mtty-1", "Single port serial", Optional.empty(), 1, MttyModel::new),
                    new MediatedParent.Type("mtty-2", "Dual port serial", Optional.empty(), 2, MttyModel::new)));

    /** Displays, of which there are four. */
    public static final MediatedParent MDPY = new MediatedParent(
            "mdpy", "vfio-pci", 4, List.of(display("vga", "640x480"), display("xga", "1024x768"), display("hd", "1920x1080")));

    /** Graphics cards, which share 256 MB of memory. */
    public static final MediatedParent MBOCHS = new MediatedParent(
            "mbochs", "vfio-pci", 256, List.of(card("small", 4), card("medium", 16), card("large", 64)));

    private Samples() {}

    private static MediatedParent.Type display(String size, String pixels) {
        String description = "virtual display, " + pixels + " framebuffer";
        return new MediatedParent.Type("mdpy-" + size, "mdpy-" + size, Optional.of(description), 1, MdpyModel::new);
    }

    private static MediatedParent.Type card(String size, int megabytes) {
        String description = "virtual display, " + megabytes + " MB video memory";
        return new MediatedParent.Type(
                "mbochs-" + size, "mbochs-" + size, Optional.of(description), megabytes, MbochsModel::new);
    }
}
