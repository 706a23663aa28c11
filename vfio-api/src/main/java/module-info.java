/**
 * Linux VFIO for the JVM: containers, groups and devices as typed handles, and the rules that hold between them.
 *
 * <p>This module makes no native call. A kernel stands behind it through {@code io.github.vfio4j.spi}: Linux
 * ({@code io.github.vfio4j.ffm}) or a simulated one ({@code io.github.vfio4j.sim}).
 */
@SuppressWarnings("module") // the qualified exports name modules that are built after this one
module io.github.vfio4j {
    exports io.github.vfio4j;
    exports io.github.vfio4j.spi to
            io.github.vfio4j.ffm,
            io.github.vfio4j.sim;

    uses io.github.vfio4j.spi.KernelProvider;
}
