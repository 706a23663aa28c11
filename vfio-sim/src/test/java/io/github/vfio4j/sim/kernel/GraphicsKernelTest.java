package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuf;
import io.github.vfio4j.Edid;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Graphics;
import io.github.vfio4j.GraphicsPlane;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.Region;
import io.github.vfio4j.Rule;
import io.github.vfio4j.VfioException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Screens of mediated devices: the kernel's samples mdpy, which shows a region, and mbochs, which shows dma-bufs. */
class GraphicsKernelTest extends KernelTest {
    private static final GraphicsPlane.Kind PRIMARY = GraphicsPlane.Kind.PRIMARY;
    private static final GraphicsPlane.Kind CURSOR = GraphicsPlane.Kind.CURSOR;
    private static final GraphicsPlane.Way REGION = GraphicsPlane.Way.REGION;
    private static final GraphicsPlane.Way DMABUF = GraphicsPlane.Way.DMABUF;

    // Of mbochs: 16-bit registers of the screen in BAR 2, which begins with what the virtual machine sees of the monitor.
    private static final int REGISTERS = 2;
    private static final int XRES = 0x502;
    private static final int YRES = 0x504;
    private static final int BITS_PER_PIXEL = 0x506;
    private static final int ENABLE = 0x508;

    private Device open(String driver, String type) {
        Optional<UUID> made = machine.mediatedDevice(driver, type);
        assumeTrue(made.isPresent(), "this kernel has the sample driver " + driver);
        Group group = vfio.openGroup(vfio.groupOf(made.get()).orElseThrow());
        Container container = vfio.openContainer();
        container.attach(group);
        return container.setIommu(IommuType.TYPE1_V2).openDevice(group, made.get());
    }

    private Device display() {
        return open("mdpy", "vga");
    }

    private Device card() {
        return open("mbochs", "small");
    }

    // ---- a picture in a region

    @Test
    void aPictureIsInARegionThatIsFoundByItsIndex() {
        Device mdpy = display();
        Graphics graphics = mdpy.graphics();
        assertThat(graphics.ways()).containsExactly(REGION);
        GraphicsPlane plane = graphics.plane(PRIMARY, REGION).orElseThrow();
        assertThat(plane.formatName()).isEqualTo("XR24");
        assertThat(plane.width()).isEqualTo(640);
        assertThat(plane.height()).isEqualTo(480);
        assertThat(plane.stride()).isEqualTo(2560);
        assertThat(plane.size()).isEqualTo(2 << 20);
        GraphicsPlane.InRegion storage = (GraphicsPlane.InRegion) plane.storage();
        assertThat(storage.index()).isGreaterThanOrEqualTo(mdpy.info().regions());
        Region region = graphics.region(storage);
        assertThat(region).isSameAs(graphics.region(storage));
        assertThat(region.info().offset()).isNotEqualTo((long) storage.index() << 40);
        assertThat(region.info().size()).isEqualTo(plane.size());
    }

    @Test
    void aMappedPictureIsWhatTheDeviceShows() {
        Device mdpy = display();
        GraphicsPlane plane = mdpy.graphics().plane(PRIMARY, REGION).orElseThrow();
        Mmio picture = mdpy.graphics().region((GraphicsPlane.InRegion) plane.storage()).map();
        for (int line : new int[] {0, 1, 240, 479}) { // from black to white
            int gray = line * 255 / 480;
            assertThat(picture.read32Opaque((long) line * plane.stride() + 4 * 17)).isEqualTo(gray * 0x01010101);
        }
        Mmio memory = mdpy.region(0).map();
        picture.write32Opaque(100L * plane.stride(), 0x00ff8040);
        assertThat(memory.read32Opaque(100L * plane.stride())).isEqualTo(0x00ff8040);
        mdpy.unmapRegions();
        assertThat(mdpy.graphics().region((GraphicsPlane.InRegion) plane.storage()).map().read32Opaque(0)).isZero();
    }

    @Test
    void aPictureInARegionIsNoDmaBuf() {
        Graphics graphics = display().graphics();
        assertRefused(Rule.GFX_PLANE_WAY, () -> graphics.plane(PRIMARY, DMABUF));
        assertRefused(Rule.GFX_DMABUF_OFFERED, () -> graphics.dmaBuf(new GraphicsPlane.InDmaBuf(1)));
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> graphics.region(new GraphicsPlane.InRegion(17)));
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(graphics.edid()).isEmpty();
    }

    // ---- a picture as a dma-buf

    private static void write(Device mbochs, int register, int value) {
        try (Arena arena = Arena.ofConfined()) {
            mbochs.region(REGISTERS).write(register, arena.allocateFrom(ValueLayout.JAVA_SHORT, (short) value));
        }
    }

    private static void setScreen(Device mbochs, int width, int height) {
        write(mbochs, XRES, width);
        write(mbochs, YRES, height);
        write(mbochs, BITS_PER_PIXEL, 32);
        write(mbochs, ENABLE, 1);
    }

    /** The sample makes a picture when it is first asked for, and then says that it has no memory. */
    private static GraphicsPlane shown(Graphics graphics) {
        try {
            return graphics.plane(PRIMARY, DMABUF).orElseThrow();
        } catch (VfioException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
            return graphics.plane(PRIMARY, DMABUF).orElseThrow();
        }
    }

    @Test
    void nothingIsShownBeforeTheScreenIsSetUp() {
        Graphics graphics = card().graphics();
        assertThat(graphics.ways()).containsExactly(DMABUF);
        assertThat(graphics.plane(PRIMARY, DMABUF)).isEmpty();
        assertThat(graphics.plane(CURSOR, DMABUF)).isEmpty();
        assertRefused(Rule.GFX_PLANE_WAY, () -> graphics.plane(PRIMARY, REGION));
    }

    @Test
    void eachPictureHasADmaBufThatIsOpenedOnce() {
        Device mbochs = card();
        Graphics graphics = mbochs.graphics();
        setScreen(mbochs, 640, 480);
        GraphicsPlane plane = shown(graphics);
        assertThat(plane.formatName()).isEqualTo("XR24");
        assertThat(plane.width()).isEqualTo(640);
        assertThat(plane.height()).isEqualTo(480);
        assertThat(plane.stride()).isEqualTo(2560);
        assertThat(plane.size()).isEqualTo(2560 * 480);
        assertThat(graphics.plane(CURSOR, DMABUF)).isEmpty();
        GraphicsPlane.InDmaBuf storage = (GraphicsPlane.InDmaBuf) plane.storage();
        DmaBuf picture = graphics.dmaBuf(storage);
        assertThat(shown(graphics).storage()).isEqualTo(storage);
        assertRefused(Rule.GFX_DMABUF_ONCE, () -> graphics.dmaBuf(storage));
        setScreen(mbochs, 800, 600);
        GraphicsPlane.InDmaBuf other = (GraphicsPlane.InDmaBuf) shown(graphics).storage();
        assertThat(other).isNotEqualTo(storage);
        graphics.dmaBuf(other); // closed with the device
        picture.close();
        assertRefused(Rule.GFX_DMABUF_ONCE, () -> graphics.dmaBuf(storage));
    }

    @Test
    void aPictureThatIsNotThereHasNoDmaBuf() {
        Graphics graphics = card().graphics();
        VfioException e = catchThrowableOfType(
                VfioException.class, () -> graphics.dmaBuf(new GraphicsPlane.InDmaBuf(77)));
        assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        assertThat(e.rule()).contains(Rule.GFX_DMABUF_KNOWN);
    }

    // ---- the monitor

    /** What the virtual machine reads of the monitor. */
    private static byte[] seen(Device mbochs, int bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = arena.allocate(bytes);
            mbochs.region(REGISTERS).read(0, found);
            return found.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void theDeviceTellsWhatMonitorsItTakes() {
        Edid edid = card().graphics().edid().orElseThrow();
        assertThat(edid.limits()).isEqualTo(new Edid.Limits(1024, 800, 600));
        assertThat(edid.linkUp()).isFalse();
        assertThat(edid.read()).isEmpty();
    }

    @Test
    void theVirtualMachineSeesTheMonitorThatTheProgramDescribes() {
        Device mbochs = card();
        Edid edid = mbochs.graphics().edid().orElseThrow();
        long seed = System.nanoTime();
        System.out.println("description of a monitor, seed " + seed);
        byte[] description = new byte[256];
        new Random(seed).nextBytes(description);
        edid.write(description);
        assertThat(edid.linkUp()).isTrue();
        assertThat(edid.read()).isEqualTo(description);
        assertThat(seen(mbochs, 256)).isEqualTo(description);
        edid.setLink(false);
        assertThat(edid.linkUp()).isFalse();
        assertThat(seen(mbochs, 256)).containsOnly(0);
        edid.setLink(true);
        assertThat(seen(mbochs, 256)).isEqualTo(description);
    }

    @Test
    void theNextMonitorMayHaveLessToSay() {
        Device mbochs = card();
        Edid edid = mbochs.graphics().edid().orElseThrow();
        edid.write("a monitor with much to say".getBytes());
        edid.write(new byte[] {1, 2, 3, 4, 5});
        assertThat(edid.read()).containsExactly(1, 2, 3, 4, 5);
    }

    @Test
    void aDescriptionThatTheDeviceCannotTakeChangesNothing() {
        Edid edid = card().graphics().edid().orElseThrow();
        edid.write(new byte[] {7});
        assertThatIllegalArgumentException().isThrownBy(() -> edid.write(new byte[1025]));
        assertThatIllegalArgumentException().isThrownBy(() -> edid.write(new byte[0]));
        assertThat(edid.linkUp()).isTrue();
        assertThat(edid.read()).containsExactly(7);
        edid.write(new byte[1024]);
        assertThat(edid.read()).hasSize(1024);
    }

    // ---- other devices

    @Test
    void otherDevicesHaveNoScreen() {
        Device loner = open(machine.loner()).device();
        Graphics graphics = loner.graphics();
        assertThat(graphics.ways()).isEmpty();
        assertThat(graphics.edid()).isEmpty();
        assertRefused(Rule.GFX_PLANE_SCREEN, () -> graphics.plane(PRIMARY, REGION));
        assertRefused(Rule.GFX_DMABUF_OFFERED, () -> graphics.dmaBuf(new GraphicsPlane.InDmaBuf(1)));
        loner.close();
        assertRefused(Rule.HANDLE_OPEN, graphics::ways);
        assertRefused(Rule.HANDLE_OPEN, graphics::edid);
    }
}
