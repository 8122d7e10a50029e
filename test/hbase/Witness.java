// HBase's own client as a witness of what Tidemark wrote, and as an administrator. Reads a command a line (fields
// separated by tabs) and answers each with one line of JSON-free text: fields separated by tabs, or "error" and why.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Delete;
import org.apache.hadoop.hbase.client.Get;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;

public final class Witness {
  public static void main(String[] args) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        Admin admin = connection.getAdmin();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String answer;
        try {
          answer = String.join("\t", answer(connection, admin, line.split("\t", -1)));
        } catch (Exception error) {
          answer = "error\t" + error.toString().replaceAll("\\s+", " ");
        }
        System.out.println(answer);
      }
    }
  }

  private static List<String> answer(Connection connection, Admin admin, String[] words) throws Exception {
    TableName name = TableName.valueOf(words[1]);
    try (Table table = connection.getTable(name)) {
      switch (words[0]) {
        case "latest":
          return latest(table, words[2] + ":" + words[3] + ":");
        case "row":
          return cells(table.get(new Get(Bytes.toBytes(words[2]))));
        case "rows":
          return rows(table, new Scan().setStartStopRowForPrefixScan(Bytes.toBytes(words[2])));
        case "regions":
          return List.of(String.valueOf(connection.getRegionLocator(name).getAllRegionLocations().size()));
        case "create":
          List<byte[]> keys = new ArrayList<>();
          for (int at = 2; at < words.length; at++) keys.add(Bytes.toBytes(words[at]));
          admin.createTable(
              TableDescriptorBuilder.newBuilder(name).setColumnFamily(ColumnFamilyDescriptorBuilder.of("f")).build(),
              keys.toArray(new byte[0][]));
          return List.of("done");
        case "ttl":
          admin.modifyColumnFamily(
              name,
              ColumnFamilyDescriptorBuilder.newBuilder(Bytes.toBytes(words[2])).setTimeToLive(Integer.parseInt(words[3]))
                  .build());
          return List.of("done");
        case "split":
          admin.splitRegionAsync(
              connection.getRegionLocator(name).getRegionLocation(Bytes.toBytes(words[2]), true).getRegion()
                  .getRegionName(),
              Bytes.toBytes(words[2])).get();
          return List.of("done");
        case "flush":
          admin.flush(name);
          return List.of("done");
        case "delete-row":
          table.delete(new Delete(Bytes.toBytes(words[2])));
          return List.of("done");
        case "disable":
          admin.disableTable(name);
          return List.of("done");
        case "drop":
          if (admin.isTableEnabled(name)) admin.disableTable(name);
          admin.deleteTable(name);
          return List.of("done");
        default:
          throw new IllegalArgumentException(words[0]);
      }
    }
  }

  /** The scan by which people find where a Spark Streaming job goes on. */
  private static List<String> latest(Table table, String prefix) throws Exception {
    Scan scan = new Scan()
        .withStartRow(Bytes.toBytes(prefix + System.currentTimeMillis()))
        .withStopRow(Bytes.toBytes(prefix + 0))
        .setReversed(true);
    try (ResultScanner scanner = table.getScanner(scan)) {
      Result first = scanner.next();
      return first == null ? List.of("none") : cells(first);
    }
  }

  private static List<String> rows(Table table, Scan scan) throws Exception {
    List<String> found = new ArrayList<>();
    try (ResultScanner scanner = table.getScanner(scan)) {
      for (Result result : scanner) found.add(Bytes.toString(result.getRow()));
    }
    return found;
  }

  private static List<String> cells(Result result) {
    List<String> found = new ArrayList<>();
    if (result.isEmpty()) return found;
    for (Cell cell : result.rawCells()) {
      found.add(Bytes.toString(CellUtil.cloneFamily(cell)) + ":" + Bytes.toString(CellUtil.cloneQualifier(cell)) + "="
          + Bytes.toString(CellUtil.cloneValue(cell)));
    }
    return found;
  }
}
