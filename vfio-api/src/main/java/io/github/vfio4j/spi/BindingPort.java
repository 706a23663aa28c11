package io.github.vfio4j.spi;

import io.github.vfio4j.Errno;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ReservedRegion;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** The drivers of PCI functions, as sysfs shows and changes them. Each method is one look or one write. */
public interface BindingPort {
    /**
     * Reads {@code driver_override}.
     *
     * @param device the function
     * @return the one driver that may take it, if that is limited
     */
    Optional<String> driverOverride(PciAddress device);

    /**
     * Writes {@code driver_override}.
     *
     * @param device the function
     * @param driver the one driver that may take it; empty for any that is for it
     */
    void setDriverOverride(PciAddress device, Optional<String> driver);

    /**
     * Writes a driver's {@code bind}. The errno of the driver's refusal comes back.
     *
     * @param device a function without a driver
     * @param driver the driver
     */
    void bind(PciAddress device, String driver);

    /**
     * Writes a driver's {@code unbind}. Waits until nobody has the device open.
     *
     * @param device a function that the driver has
     * @param driver the driver
     */
    void unbind(PciAddress device, String driver);

    /**
     * Writes {@code drivers_probe}. Succeeds also when no driver takes the device, or a driver refuses it: look at the
     * driver afterwards.
     *
     * @param device the function
     */
    void probe(PciAddress device);

    /**
     * Looks for a driver among those of the PCI bus.
     *
     * @param driver its name
     * @return whether it is loaded
     */
    boolean driverLoaded(String driver);

    /**
     * Reads {@code sriov_numvfs}.
     *
     * @param device the function
     * @return how many virtual functions it has; 0 where it can have none
     */
    int virtualFunctions(PciAddress device);

    /**
     * Reads {@code sriov_totalvfs}.
     *
     * @param device the function
     * @return how many virtual functions it can have; 0 where it can have none
     */
    int mostVirtualFunctions(PciAddress device);

    /**
     * Reads the links {@code virtfnN}.
     *
     * @param device a physical function
     * @return its virtual ones, in the order of their numbers
     */
    List<PciAddress> virtualFunctionsOf(PciAddress device);

    /**
     * Writes {@code sriov_numvfs}. Returns once the virtual functions are there and bound, or nobody has them open and
     * they are gone.
     *
     * @param device the physical function
     * @param number how many it is to have
     */
    void setVirtualFunctions(PciAddress device, int number);

    /**
     * Reads {@code numa_node}.
     *
     * @param device the function
     * @return the node that it is near to, if the machine says
     */
    OptionalInt numaNode(PciAddress device);

    /**
     * Reads {@code reserved_regions} of a group.
     *
     * @param group its number
     * @return the regions, ascending as the kernel lists them
     */
    List<ReservedRegion> reservedRegions(int group);

    /**
     * Reads the parameter {@code enable_unsafe_noiommu_mode} of vfio.
     *
     * @return whether functions that no IOMMU isolates can be given to programs
     */
    boolean noIommuAllowed();

    /**
     * Reads what programs of this machine noted of functions whose drivers they changed.
     *
     * @return a note for each such function
     */
    List<BindingNote> notes();

    /**
     * Notes for this program how a function is, where other programs find it when this one is no more.
     *
     * @param device the function
     * @param driver its driver
     * @param override its {@code driver_override}
     */
    void note(PciAddress device, Optional<String> driver, Optional<String> override);

    /**
     * Throws the note of a function away, if there is one.
     *
     * @param device the function
     */
    void forget(PciAddress device);

    /**
     * Looks whether this process may read and write a group's node, without opening it: a group is opened once only.
     *
     * @param node its path
     * @return what an open would be refused with now, if that is known
     */
    Optional<Errno> nodeAccess(String node);
}
